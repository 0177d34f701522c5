package homeassistant

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// A meaning is what Home Assistant is told of numbers with a unit. What it accepts is in its own tables, in the file
// homeassistant/components/sensor/const.py of its sources: each class has its units, and a sensor with another unit is refused,
// together with its whole device.
type meaning struct {
	class  string  // device_class; empty: none
	unit   string  // unit_of_measurement; empty: none
	state  string  // state_class
	factor float64 // times the value is the value in unit, plus offset; 0: 1
	offset float64
}

// The values of state_class.
const (
	measurement = "measurement"
	increasing  = "total_increasing"
)

// measured are numbers without a unit.
var measured = meaning{state: measurement}

// meanings has the units of SenML: RFC 8428, section 12.1, and RFC 8798, section 3, with those registered since.
var meanings = map[string]meaning{
	// with a class
	"Cel":    {class: "temperature", unit: "°C", state: measurement},
	"K":      {class: "temperature", unit: "K", state: measurement},
	"%RH":    {class: "humidity", unit: "%", state: measurement},
	"%EL":    {class: "battery", unit: "%", state: measurement},
	"EL":     {class: "duration", unit: "s", state: measurement}, // what is left of a battery
	"lx":     {class: "illuminance", unit: "lx", state: measurement},
	"Pa":     {class: "pressure", unit: "Pa", state: measurement},
	"hPa":    {class: "pressure", unit: "hPa", state: measurement},
	"V":      {class: "voltage", unit: "V", state: measurement},
	"mV":     {class: "voltage", unit: "mV", state: measurement},
	"A":      {class: "current", unit: "A", state: measurement},
	"mA":     {class: "current", unit: "mA", state: measurement},
	"W":      {class: "power", unit: "W", state: measurement},
	"kW":     {class: "power", unit: "kW", state: measurement},
	"J":      {class: "energy", unit: "J", state: increasing},
	"Wh":     {class: "energy", unit: "Wh", state: increasing},
	"kWh":    {class: "energy", unit: "kWh", state: increasing},
	"VA":     {class: "apparent_power", unit: "VA", state: measurement},
	"kVA":    {class: "apparent_power", unit: "VA", state: measurement, factor: 1000},
	"var":    {class: "reactive_power", unit: "var", state: measurement},
	"kvar":   {class: "reactive_power", unit: "var", state: measurement, factor: 1000},
	"Hz":     {class: "frequency", unit: "Hz", state: measurement},
	"MHz":    {class: "frequency", unit: "MHz", state: measurement},
	"s":      {class: "duration", unit: "s", state: measurement},
	"ms":     {class: "duration", unit: "ms", state: measurement},
	"min":    {class: "duration", unit: "min", state: measurement},
	"h":      {class: "duration", unit: "h", state: measurement},
	"m":      {class: "distance", unit: "m", state: measurement},
	"mm":     {class: "distance", unit: "mm", state: measurement},
	"cm":     {class: "distance", unit: "cm", state: measurement},
	"km":     {class: "distance", unit: "km", state: measurement},
	"m/s":    {class: "speed", unit: "m/s", state: measurement},
	"km/h":   {class: "speed", unit: "km/h", state: measurement},
	"mm/h":   {class: "speed", unit: "mm/h", state: measurement},
	"m/h":    {class: "speed", unit: "mm/h", state: measurement, factor: 1000},
	"m2":     {class: "area", unit: "m²", state: measurement},
	"m3":     {class: "volume_storage", unit: "m³", state: measurement},
	"l":      {class: "volume_storage", unit: "L", state: measurement},
	"m3/s":   {class: "volume_flow_rate", unit: "m³/h", state: measurement, factor: 3600},
	"l/s":    {class: "volume_flow_rate", unit: "L/min", state: measurement, factor: 60},
	"kg":     {class: "weight", unit: "kg", state: measurement},
	"g":      {class: "weight", unit: "g", state: measurement},
	"W/m2":   {class: "irradiance", unit: "W/m²", state: measurement},
	"S/m":    {class: "conductivity", unit: "µS/cm", state: measurement, factor: 1e4},
	"pH":     {class: "ph", state: measurement},
	"dBm":    {class: "signal_strength", unit: "dBm", state: measurement},
	"dBW":    {class: "signal_strength", unit: "dBm", state: measurement, offset: 30},
	"Bspl":   {class: "sound_pressure", unit: "dB", state: measurement, factor: 10},
	"bit":    {class: "data_size", unit: "bit", state: measurement},
	"B":      {class: "data_size", unit: "B", state: measurement},
	"KiB":    {class: "data_size", unit: "KiB", state: measurement},
	"GB":     {class: "data_size", unit: "GB", state: measurement},
	"bit/s":  {class: "data_rate", unit: "bit/s", state: measurement},
	"Mbit/s": {class: "data_rate", unit: "Mbit/s", state: measurement},
	"B/s":    {class: "data_rate", unit: "B/s", state: measurement},
	"MB/s":   {class: "data_rate", unit: "MB/s", state: measurement},

	// shares: without a class, because they may be shares of anything
	"%":     {unit: "%", state: measurement},
	"/100":  {unit: "%", state: measurement},
	"/":     {unit: "%", state: measurement, factor: 100},
	"/1000": {unit: "%", state: measurement, factor: 0.1},
	"ppm":   {unit: "ppm", state: measurement},
	"ppb":   {unit: "ppb", state: measurement},
	"ppt":   {unit: "ppt", state: measurement},
	"ug/m3": {unit: "µg/m³", state: measurement},

	// without a class: Home Assistant has none, or not in all of its versions
	"count":    {state: measurement},
	"dB":       {unit: "dB", state: measurement},
	"1/s":      {unit: "1/s", state: measurement},
	"1/min":    {unit: "1/min", state: measurement},
	"beat/min": {unit: "bpm", state: measurement},
	"beats":    {unit: "beats", state: increasing},
	"rad":      {unit: "°", state: measurement, factor: 180 / math.Pi},
	"deg":      {unit: "°", state: measurement},
	"lat":      {unit: "°", state: measurement},
	"lon":      {unit: "°", state: measurement},
	"sr":       {unit: "sr", state: measurement},
	"cd":       {unit: "cd", state: measurement},
	"cd/m2":    {unit: "cd/m²", state: measurement},
	"lm":       {unit: "lm", state: measurement},
	"mol":      {unit: "mol", state: measurement},
	"N":        {unit: "N", state: measurement},
	"C":        {unit: "C", state: measurement}, // coulomb
	"F":        {unit: "F", state: measurement}, // farad
	"Ohm":      {unit: "Ω", state: measurement},
	"S":        {unit: "S", state: measurement},
	"Wb":       {unit: "Wb", state: measurement},
	"T":        {unit: "T", state: measurement},
	"H":        {unit: "H", state: measurement},
	"Bq":       {unit: "Bq", state: measurement},
	"Gy":       {unit: "Gy", state: measurement},
	"Sv":       {unit: "Sv", state: measurement},
	"kat":      {unit: "kat", state: measurement},
	"m/s2":     {unit: "m/s²", state: measurement},
	"J/m":      {unit: "J/m", state: measurement},
	"kg/m3":    {unit: "kg/m³", state: measurement},
	"NTU":      {unit: "NTU", state: measurement},
	"Ah":       {unit: "Ah", state: measurement},
	"VAs":      {unit: "VAs", state: increasing},
	"VAh":      {unit: "VAh", state: increasing},
	"kVAh":     {unit: "kVAh", state: increasing},
	"vars":     {unit: "vars", state: increasing},
	"varh":     {unit: "varh", state: increasing},
	"kvarh":    {unit: "kvarh", state: increasing},
	"Wh/km":    {unit: "Wh/km", state: measurement},
}

// A hint gives a class to numbers whose unit leaves it open and whose event, or sender, has one of its words in the name.
type hint struct {
	unit  string // of SenML
	words []string
	class string
	state string // if it is another one
}

// hints are tried in their order.
var hints = []hint{
	{"ppm", []string{"co2"}, "carbon_dioxide", ""},
	{"ppm", []string{"co"}, "carbon_monoxide", ""},
	{"ppm", []string{"voc", "tvoc"}, "volatile_organic_compounds_parts", ""},
	{"ppb", []string{"voc", "tvoc"}, "volatile_organic_compounds_parts", ""},
	{"ug/m3", []string{"pm1", "pm01"}, "pm1", ""},
	{"ug/m3", []string{"pm25"}, "pm25", ""},
	{"ug/m3", []string{"pm10"}, "pm10", ""},
	{"ug/m3", []string{"voc", "tvoc"}, "volatile_organic_compounds", ""},
	{"ug/m3", []string{"no2"}, "nitrogen_dioxide", ""},
	{"ug/m3", []string{"o3", "ozone"}, "ozone", ""},
	{"ug/m3", []string{"so2"}, "sulphur_dioxide", ""},
	{"dB", []string{"rssi", "snr", "signal"}, "signal_strength", ""},
	{"dB", []string{"noise", "sound", "spl"}, "sound_pressure", ""},
	{"mm/h", []string{"rain", "precipitation"}, "precipitation_intensity", ""},
	{"mm", []string{"rain", "precipitation"}, "precipitation", ""},
	{"m/s", []string{"wind", "gust"}, "wind_speed", ""},
	{"km/h", []string{"wind", "gust"}, "wind_speed", ""},
	{"%", []string{"moisture", "soil"}, "moisture", ""},
	{"/100", []string{"moisture", "soil"}, "moisture", ""},
	{"m3", []string{"total", "meter", "consumption"}, "volume", increasing},
	{"l", []string{"total", "meter", "consumption"}, "volume", increasing},
}

// meaningOf returns what Home Assistant is told of an event's numbers. A unit that is not in the table is shown as it is.
func meaningOf(sender, event, unit string) meaning {
	if unit == "" {
		return measured
	}
	m, known := meanings[unit]
	if !known {
		return meaning{unit: unit, state: measurement}
	}
	for _, name := range []string{event, sender} {
		for _, h := range hints {
			if h.unit == unit && hasWord(name, h.words) {
				m.class = h.class
				if h.state != "" {
					m.state = h.state
				}
				return m
			}
		}
	}
	return m
}

// fineDust are other ways to write pm25 and pm1.
var fineDust = strings.NewReplacer("pm2.5", "pm25", "pm2_5", "pm25", "pm1.0", "pm1", "pm1_0", "pm1")

// hasWord reports whether a name has one of these words. A word consists of letters and digits.
func hasWord(name string, words []string) bool {
	name = fineDust.Replace(strings.ToLower(name))
	for word := range strings.FieldsFuncSeq(name, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
		if slices.Contains(words, word) {
			return true
		}
	}
	return false
}

// scaled reports whether values are not shown as they are.
func (m *meaning) scaled() bool { return m.factor != 0 && m.factor != 1 || m.offset != 0 }

// shown returns the template of a value's number, which is null if the value is not a number.
func (m *meaning) shown() string {
	number := "value_json"
	if m.factor != 0 && m.factor != 1 {
		number += " * " + decimal(m.factor)
	}
	if m.offset != 0 {
		number += " + " + decimal(m.offset)
	}
	return "{{ " + number + " if value_json is number else none }}"
}

// asked returns the template of the parameter for a number that somebody has chosen.
func (m *meaning) asked() string {
	number := "value"
	if m.offset != 0 {
		number = "(value - " + decimal(m.offset) + ")"
	}
	if m.factor != 0 && m.factor != 1 {
		number += " / " + decimal(m.factor)
	}
	return "{{ " + number + " }}"
}

func decimal(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
