package formats

import (
	"strconv"
	"strings"
)

// A variableKind is a variable of MySensors, which has the prefix V_ there.
type variableKind struct {
	name      string
	unit      string
	text      bool
	logical   bool    // 0 or 1
	low, high float64 // both 0: not known
}

// variables are the variables by their numbers: the serial API, version 2.x, "set, req". The units are those of its metric system.
var variables = []variableKind{
	0:  {name: "temp", unit: "Cel", low: -273.15, high: 10_000},
	1:  {name: "hum", unit: "%RH", low: 0, high: 100},
	2:  {name: "status", logical: true},
	3:  {name: "percentage", unit: "%", low: 0, high: 100},
	4:  {name: "pressure", unit: "hPa"},
	5:  {name: "forecast", text: true},
	6:  {name: "rain", unit: "mm"},
	7:  {name: "rainrate", unit: "mm/h"},
	8:  {name: "wind", unit: "m/s"},
	9:  {name: "gust", unit: "m/s"},
	10: {name: "direction", unit: "deg", low: 0, high: 360},
	11: {name: "uv"},
	12: {name: "weight", unit: "kg"},
	13: {name: "distance", unit: "m"},
	14: {name: "impedance", unit: "Ohm"},
	15: {name: "armed", logical: true},
	16: {name: "tripped", logical: true},
	17: {name: "watt", unit: "W"},
	18: {name: "kwh", unit: "kWh"},
	19: {name: "scene_on", text: true},
	20: {name: "scene_off", text: true},
	21: {name: "hvac_flow_state", text: true},
	22: {name: "hvac_speed", text: true},
	23: {name: "light_level", unit: "%", low: 0, high: 100},
	24: {name: "var1", text: true},
	25: {name: "var2", text: true},
	26: {name: "var3", text: true},
	27: {name: "var4", text: true},
	28: {name: "var5", text: true},
	29: {name: "up", text: true},
	30: {name: "down", text: true},
	31: {name: "stop", text: true},
	32: {name: "ir_send", text: true},
	33: {name: "ir_receive", text: true},
	34: {name: "flow", unit: "l/min"},
	35: {name: "volume", unit: "m3"},
	36: {name: "lock_status", logical: true},
	37: {name: "level"},
	38: {name: "voltage", unit: "V"},
	39: {name: "current", unit: "A"},
	40: {name: "rgb", text: true},
	41: {name: "rgbw", text: true},
	42: {name: "id", text: true},
	43: {name: "unit_prefix", text: true},
	44: {name: "hvac_setpoint_cool", unit: "Cel"},
	45: {name: "hvac_setpoint_heat", unit: "Cel"},
	46: {name: "hvac_flow_mode", text: true},
	47: {name: "text", text: true},
	48: {name: "custom", text: true},
	49: {name: "position", text: true},
	50: {name: "ir_record", text: true},
	51: {name: "ph", unit: "pH", low: 0, high: 14},
	52: {name: "orp", unit: "mV"},
	53: {name: "ec", unit: "uS/cm"},
	54: {name: "var", unit: "var"},
	55: {name: "va", unit: "VA"},
	56: {name: "power_factor", low: -1, high: 1},
	57: {name: "multi_message", text: true},
}

// variable returns a variable by its number. One that is not known has a name with its number.
func variable(number int) variableKind {
	if number < len(variables) {
		return variables[number]
	}
	return variableKind{name: "v" + strconv.Itoa(number), text: true}
}

// VariableType returns the number of a variable by the name of its event, with or without the prefix V_, or by its number.
func VariableType(name string) (int, bool) {
	bare := strings.TrimPrefix(strings.ToLower(name), "v_")
	for number, v := range variables {
		if v.name == bare {
			return number, true
		}
	}
	n, err := strconv.Atoi(strings.TrimPrefix(bare, "v"))
	return n, err == nil && n >= 0 && n <= 255
}
