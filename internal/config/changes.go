package config

import "reflect"

// Changes returns the keys whose values differ in another configuration, as they are called in the file.
func (c *Config) Changes(other *Config) (keys []string) {
	for _, part := range []struct {
		key        string
		was, isNow any
	}{
		{"listen", c.Listen, other.Listen},
		{"serial", c.Serial, other.Serial},
		{"sensors", []any{c.Sensing.Auto, c.Sensing.Sensors}, []any{other.Sensing.Auto, other.Sensing.Sensors}},
		{"pins", c.Sensing.Pins, other.Sensing.Pins},
		{"thresholds", c.Sensing.Thresholds, other.Sensing.Thresholds},
		{"state", c.State, other.State},
		{"tls", c.TLS, other.TLS},
		{"http", c.HTTP, other.HTTP},
		{"access", c.Access, other.Access},
		{"journal", c.Journal, other.Journal},
		{"bridges", c.Bridges, other.Bridges},
		{"homeassistant", c.HomeAssistant, other.HomeAssistant},
		{"limits", c.Limits, other.Limits},
		{"log.level", c.Log.Level, other.Log.Level},
		{"log.format", c.Log.Format, other.Log.Format},
	} {
		if !reflect.DeepEqual(part.was, part.isNow) {
			keys = append(keys, part.key)
		}
	}
	return keys
}
