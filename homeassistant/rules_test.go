package homeassistant

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The rules of Home Assistant for announcements, as far as this package could break them, written down apart from the code that is to
// keep to them: from homeassistant/components/mqtt/schemas.py, discovery.py, sensor.py, number.py and the tables of
// homeassistant/components/sensor/const.py, of its sources. Units that came after version 2025.1 are left out.

var (
	allStates = []string{"measurement", "total", "total_increasing"}
	onlyNow   = []string{"measurement"}
	onlyTotal = []string{"total", "total_increasing"}
	noUnit    = []string{""}
	speeds    = []string{"m/s", "km/h", "ft/s", "mph", "kn", "Beaufort"}
	fluxes    = []string{"mm/d", "mm/h", "in/d", "in/h"}
	sizes     = []string{"bit", "kbit", "Mbit", "Gbit", "B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB", "KiB", "MiB", "GiB", "TiB"}
	rates     = []string{"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "B/s", "kB/s", "MB/s", "GB/s", "KiB/s", "MiB/s", "GiB/s"}
	volumes   = []string{"L", "mL", "m³", "ft³", "CCF", "fl. oz.", "gal"}
)

// sensorRules has what a sensor of each class may have: units, and values of state_class.
var sensorRules = map[string]struct{ units, states []string }{
	"apparent_power":                   {[]string{"VA"}, onlyNow},
	"area":                             {[]string{"m²", "cm²", "km²", "mm²", "in²", "ft²", "yd²", "mi²", "ac", "ha"}, allStates},
	"battery":                          {[]string{"%"}, onlyNow},
	"carbon_dioxide":                   {[]string{"ppm"}, onlyNow},
	"carbon_monoxide":                  {[]string{"ppm"}, onlyNow},
	"conductivity":                     {[]string{"S/cm", "mS/cm", "µS/cm"}, onlyNow},
	"current":                          {[]string{"A", "mA"}, onlyNow},
	"data_rate":                        {rates, onlyNow},
	"data_size":                        {sizes, allStates},
	"distance":                         {[]string{"km", "m", "cm", "mm", "mi", "nmi", "yd", "in"}, allStates},
	"duration":                         {[]string{"d", "h", "min", "s", "ms"}, allStates},
	"energy":                           {[]string{"J", "kJ", "MJ", "GJ", "mWh", "Wh", "kWh", "MWh", "GWh", "TWh"}, onlyTotal},
	"frequency":                        {[]string{"Hz", "kHz", "MHz", "GHz"}, onlyNow},
	"humidity":                         {[]string{"%"}, onlyNow},
	"illuminance":                      {[]string{"lx"}, onlyNow},
	"irradiance":                       {[]string{"W/m²", "BTU/(h⋅ft²)"}, onlyNow},
	"moisture":                         {[]string{"%"}, onlyNow},
	"nitrogen_dioxide":                 {[]string{"µg/m³"}, onlyNow},
	"ozone":                            {[]string{"µg/m³"}, onlyNow},
	"ph":                               {noUnit, onlyNow},
	"pm1":                              {[]string{"µg/m³"}, onlyNow},
	"pm10":                             {[]string{"µg/m³"}, onlyNow},
	"pm25":                             {[]string{"µg/m³"}, onlyNow},
	"power":                            {[]string{"W", "kW", "MW", "GW", "TW"}, onlyNow},
	"precipitation":                    {[]string{"cm", "in", "mm"}, allStates},
	"precipitation_intensity":          {fluxes, onlyNow},
	"pressure":                         {[]string{"Pa", "hPa", "kPa", "bar", "cbar", "mbar", "mmHg", "inHg", "psi"}, onlyNow},
	"reactive_power":                   {[]string{"var"}, onlyNow},
	"signal_strength":                  {[]string{"dB", "dBm"}, onlyNow},
	"sound_pressure":                   {[]string{"dB", "dBA"}, onlyNow},
	"speed":                            {append(slices.Clone(speeds), fluxes...), onlyNow},
	"sulphur_dioxide":                  {[]string{"µg/m³"}, onlyNow},
	"temperature":                      {[]string{"°C", "°F", "K"}, onlyNow},
	"volatile_organic_compounds":       {[]string{"µg/m³"}, onlyNow},
	"volatile_organic_compounds_parts": {[]string{"ppm", "ppb"}, onlyNow},
	"voltage":                          {[]string{"V", "mV"}, onlyNow},
	"volume":                           {volumes, onlyTotal},
	"volume_flow_rate":                 {[]string{"m³/h", "ft³/min", "L/min", "gal/min"}, onlyNow},
	"volume_storage":                   {volumes, onlyNow},
	"weight":                           {[]string{"kg", "g", "mg", "µg", "oz", "lb", "st"}, allStates},
	"wind_speed":                       {speeds, onlyNow},
}

// platformKeys has what each platform may have beside what all have.
var platformKeys = map[string][]string{
	"sensor":        {"state_topic", "value_template", "device_class", "unit_of_measurement", "state_class", "expire_after"},
	"binary_sensor": {"state_topic", "value_template", "device_class", "payload_on", "payload_off"},
	"event":         {"state_topic", "value_template", "event_types", "device_class"},
	"button":        {"command_topic", "payload_press", "device_class"},
	"switch":        {"state_topic", "value_template", "command_topic", "payload_on", "payload_off"},
	"number": {"state_topic", "value_template", "command_topic", "command_template", "device_class", "unit_of_measurement", "min", "max",
		"step", "mode"},
}

var (
	commonKeys = []string{"platform", "unique_id", "name", "entity_category", "availability", "availability_mode", "qos"}
	deviceKeys = []string{"identifiers", "name", "manufacturer", "model", "sw_version", "via_device"}
	topicRule  = regexp.MustCompile(`^[a-zA-Z0-9_-]+/device/[a-zA-Z0-9_-]+/config$`)
)

type object = map[string]any

// judge returns what Home Assistant would refuse.
func judge(topic string, data []byte) error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	var p object
	if err := json.Unmarshal(data, &p); err != nil {
		return err
	}
	if !topicRule.MatchString(topic) {
		fail("topic %s", topic)
	}
	only(fail, "the announcement", p, "device", "origin", "components")
	d, _ := p["device"].(object)
	only(fail, "device", d, deviceKeys...)
	if ids, _ := d["identifiers"].([]any); len(ids) == 0 || ids[0] == "" {
		fail("device: no identifiers")
	}
	if o, _ := p["origin"].(object); o["name"] == nil || o["name"] == "" {
		fail("origin: no name")
	}
	parts, ok := p["components"].(object)
	if !ok {
		fail("no components")
	}
	ids := make(map[string]string)
	for key, v := range parts {
		c, _ := v.(object)
		if len(c) == 1 && c["platform"] != nil { // to be removed
			continue
		}
		id := fmt.Sprint(c["platform"], " ", c["unique_id"])
		if c["unique_id"] == nil || ids[id] != "" {
			fail("%s: unique_id %v, which %q has as well", key, c["unique_id"], ids[id])
		}
		ids[id] = key
		judgeComponent(func(format string, args ...any) { fail(key+": "+format, args...) }, c)
	}
	return errors.Join(errs...)
}

// only fails for keys that are not there in Home Assistant: it refuses them.
func only(fail func(string, ...any), what string, o object, keys ...string) {
	for key := range o {
		if !slices.Contains(keys, key) {
			fail("%s: what is %s?", what, key)
		}
	}
}

func judgeComponent(fail func(string, ...any), c object) {
	platform, _ := c["platform"].(string)
	keys, known := platformKeys[platform]
	if !known {
		fail("platform %q", platform)
		return
	}
	only(fail, platform, c, append(slices.Clone(commonKeys), keys...)...)
	for key, sub := range map[string]bool{"state_topic": true, "command_topic": false} {
		topic, there := c[key].(string)
		needed := slices.Contains(keys, key) && (platform != "switch" && platform != "number" || key == "command_topic")
		if needed && !there || there && !goodTopic(topic, sub) {
			fail("%s %q", key, topic)
		}
	}
	if c["availability"] != nil && c["availability_mode"] != "all" {
		fail("the availability is that of any")
	}
	list, _ := c["availability"].([]any)
	for _, v := range list {
		a, _ := v.(object)
		only(fail, "availability", a, "topic", "value_template")
		if topic, _ := a["topic"].(string); !goodTopic(topic, true) {
			fail("availability %q", topic)
		}
	}
	for key, v := range c {
		if text, is := v.(string); is && strings.HasSuffix(key, "template") && strings.Count(text, "{{") != strings.Count(text, "}}") {
			fail("template %q", text)
		}
	}
	class, unit, state := text(c, "device_class"), text(c, "unit_of_measurement"), text(c, "state_class")
	switch platform {
	case "sensor", "number":
		rules, known := sensorRules[class]
		switch {
		case class == "":
		case !known:
			fail("class %q", class)
		case !slices.Contains(rules.units, unit):
			fail("class %s with the unit %q", class, unit)
		case platform == "sensor" && state != "" && !slices.Contains(rules.states, state):
			fail("class %s with the state class %s", class, state)
		}
		if state != "" && !slices.Contains(allStates, state) {
			fail("state class %q", state)
		}
		if unit != strings.TrimSpace(unit) {
			fail("unit %q", unit)
		}
	case "binary_sensor":
		if class != "" && class != "connectivity" {
			fail("class %q", class)
		}
	case "button":
		if class != "" && class != "identify" && class != "restart" && class != "update" {
			fail("class %q", class)
		}
	case "event":
		if types, _ := c["event_types"].([]any); len(types) == 0 {
			fail("no event types")
		}
	}
	if v, there := c["expire_after"].(float64); there && (v < 1 || v != float64(int(v))) {
		fail("expire_after %v", v)
	}
	if platform == "number" {
		least, _ := c["min"].(float64)
		most, _ := c["max"].(float64)
		step, _ := c["step"].(float64)
		if least >= most || step < 0.001 || c["mode"] != "box" {
			fail("from %v to %v in steps of %v", least, most, step)
		}
	}
}

func text(c object, key string) string {
	s, _ := c[key].(string)
	return s
}

// goodTopic reports whether something can be published to a topic. To subscribe, neither needs wildcards. A level that begins with _ is a
// word of the hub's: at its own port, states are below _now.
func goodTopic(topic string, sub bool) bool {
	if rest, own := strings.CutPrefix(topic, "_now/"); own && sub {
		if topic = rest; topic == "_state" {
			return true
		}
	}
	return topic != "" && len(topic) < 65536 && !strings.ContainsAny(topic, "+#\x00") && !strings.HasPrefix(topic, "$") && !strings.HasPrefix(topic, "_")
}
