package kernel

import (
	"math"

	"sighub/sensors"
)

// A span is the range of a value, in its SenML unit.
type span struct{ least, most float64 }

// spans are what values of any device can be, by the event's usual name. They are wide: they keep out what is no measurement,
// such as the -274 °C of a thermal zone without one.
var spans = map[string]span{
	"temp":     {-200, 1800}, // from a resistor in liquid nitrogen to a thermocouple of type B
	"lux":      {0, 200_000}, // the sun has 130,000 lx at most
	"humidity": {0, 100},
	"pressure": {-110_000, 100e6}, // differences, and vessels
	"voltage":  {-1000, 1000},     // power supplies measure the mains, too
	"fan":      {0, 100_000},
	"current":  {-10_000, 10_000},
	"power":    {-1e6, 1e6},
	"energy":   {0, math.MaxUint64 * 1e-6}, // a counter of microjoules in 64 bits

	"resistance": {0, 1e12}, "capacitance": {-1, 1}, "conductivity": {0, 1e8}, // of silver: 6.3e7
	"ph": {-2, 16}, "uv-index": {0, 100}, // 43 were measured in the Andes
	"concentration": {0, 1e6}, "co2": {0, 1e6}, "voc": {0, 1e6}, "ethanol": {0, 1e6}, "h2": {0, 1e6}, "o2": {0, 100},
	"dust": {0, 1e6}, "pm1": {0, 1e6}, "pm25": {0, 1e6}, "pm4": {0, 1e6}, "pm10": {0, 1e6},
	"acceleration": {-1e5, 1e5}, "gravity": {-100, 100}, "rotation": {-1e4, 1e4}, "angle": {-1e6, 1e6}, "inclination": {-360, 360},
	"field": {-100, 100}, "distance": {0, 1e6}, "proximity": {0, 1e6},
}

var (
	// processor is for processors, which stop themselves at 115 °C at most.
	processor = span{-55, 125}
	// board is for what hwmon and thermal zones measure: silicon, which ends at 150 °C.
	board = span{-55, 150}
)

// chips are the ranges of devices that the kernel names, from their data sheets, by the event's usual name. Without an entry
// there, what spans, processor and board say holds.
var chips = map[string]map[string]span{
	"bme280":    {"temp": {-40, 85}, "pressure": {30_000, 110_000}},
	"bmp085":    {"temp": {-40, 85}, "pressure": {30_000, 110_000}},
	"bmp180":    {"temp": {-40, 85}, "pressure": {30_000, 110_000}},
	"bmp280":    {"temp": {-40, 85}, "pressure": {30_000, 110_000}},
	"bmp380":    {"temp": {-40, 85}, "pressure": {30_000, 125_000}},
	"bmp580":    {"temp": {-40, 85}, "pressure": {30_000, 125_000}},
	"bme680":    {"temp": {-40, 85}, "pressure": {30_000, 110_000}},
	"dps310":    {"temp": {-40, 85}, "pressure": {30_000, 120_000}},
	"dht11":     {"temp": {-40, 80}}, // and the DHT22
	"aht10":     {"temp": {-40, 85}},
	"aht20":     {"temp": {-40, 85}},
	"hdc100x":   {"temp": {-40, 125}},
	"hdc2010":   {"temp": {-40, 125}},
	"hdc3020":   {"temp": {-40, 125}},
	"htu21":     {"temp": {-40, 125}},
	"htu31":     {"temp": {-40, 125}},
	"si7020":    {"temp": {-40, 125}},
	"sht21":     {"temp": {-40, 125}},
	"sht3x":     {"temp": {-40, 125}},
	"sht4x":     {"temp": {-40, 125}},
	"shtc3":     {"temp": {-40, 125}},
	"lm75":      {"temp": {-55, 125}},
	"jc42":      {"temp": {-40, 125}}, // and the MCP9808
	"tmp102":    {"temp": {-40, 125}},
	"tmp117":    {"temp": {-55, 150}},
	"mlx90614":  {"temp": {-70, 380}}, // of the object; its surroundings have less
	"drivetemp": {"temp": {-55, 125}},
	"nvme":      {"temp": {-55, 125}},
}

// within returns the quantity with its range.
func within(kind, device, event string, q sensors.Quantity) sensors.Quantity {
	s := spans[event]
	if event == "temp" && (kind == Hwmon || kind == Thermal) {
		if s = board; isProcessor(device) {
			s = processor
		}
	}
	if known, ok := chips[device][event]; ok {
		s = known
	}
	q.Min, q.Max = s.least, s.most
	return q
}

// wet are devices whose formula for humidity goes beyond 0 and 100 %RH, where that is still a value: their data sheets say to
// take the nearest end. It goes from -6 to 119 %RH.
var wet = map[string]bool{"htu21": true, "si7020": true, "sht21": true, "sht4x": true, "htu31": true}

func nearest(humidity float64) float64 {
	if humidity >= -6 && humidity <= 119 {
		return min(max(humidity, 0), 100)
	}
	return humidity
}
