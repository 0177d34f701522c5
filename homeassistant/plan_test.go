package homeassistant

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sighub/internal/mqtt/topic"
)

var update = flag.Bool("update", false, "rewrite golden files")

func testPlan() *Plan {
	return &Plan{Hub: Hub{ID: "h1", Name: "Barn", Version: "1.0"}, Topics: Topics{Prefix: "sighub/"}, Prefix: DefaultPrefix}
}

// announced returns an announcement that Home Assistant accepts.
func announced(t *testing.T, p *Plan, d Device) (string, object) {
	t.Helper()
	a := p.Announce(&d)
	data := a.Payload(nil)
	if err := judge(a.Topic, data); err != nil {
		t.Errorf("%v\n%s", err, data)
	}
	if again := p.Announce(&d).Payload(nil); !bytes.Equal(data, again) {
		t.Error("the same device is announced differently")
	}
	var o object
	if err := json.Unmarshal(data, &o); err != nil {
		t.Fatal(err)
	}
	return a.Topic, o
}

func part(t *testing.T, o object, key string) object {
	t.Helper()
	c, ok := o["components"].(object)[key].(object)
	if !ok {
		t.Fatalf("there is no %s in %v", key, o)
	}
	return c
}

// TestUnits has a row for each unit: its class, what is shown, the state class, and the template where the value is another one.
func TestUnits(t *testing.T) {
	const now, up = "measurement", "total_increasing"
	rows := []struct{ unit, class, shown, state, times string }{
		{"Cel", "temperature", "°C", now, ""},
		{"K", "temperature", "K", now, ""},
		{"%RH", "humidity", "%", now, ""},
		{"%EL", "battery", "%", now, ""},
		{"EL", "duration", "s", now, ""},
		{"lx", "illuminance", "lx", now, ""},
		{"Pa", "pressure", "Pa", now, ""},
		{"hPa", "pressure", "hPa", now, ""},
		{"V", "voltage", "V", now, ""},
		{"mV", "voltage", "mV", now, ""},
		{"A", "current", "A", now, ""},
		{"mA", "current", "mA", now, ""},
		{"W", "power", "W", now, ""},
		{"kW", "power", "kW", now, ""},
		{"J", "energy", "J", up, ""},
		{"Wh", "energy", "Wh", up, ""},
		{"kWh", "energy", "kWh", up, ""},
		{"VA", "apparent_power", "VA", now, ""},
		{"kVA", "apparent_power", "VA", now, "* 1000"},
		{"var", "reactive_power", "var", now, ""},
		{"kvar", "reactive_power", "var", now, "* 1000"},
		{"Hz", "frequency", "Hz", now, ""},
		{"MHz", "frequency", "MHz", now, ""},
		{"s", "duration", "s", now, ""},
		{"ms", "duration", "ms", now, ""},
		{"min", "duration", "min", now, ""},
		{"h", "duration", "h", now, ""},
		{"m", "distance", "m", now, ""},
		{"mm", "distance", "mm", now, ""},
		{"cm", "distance", "cm", now, ""},
		{"km", "distance", "km", now, ""},
		{"m/s", "speed", "m/s", now, ""},
		{"km/h", "speed", "km/h", now, ""},
		{"mm/h", "speed", "mm/h", now, ""},
		{"m/h", "speed", "mm/h", now, "* 1000"},
		{"m2", "area", "m²", now, ""},
		{"m3", "volume_storage", "m³", now, ""},
		{"l", "volume_storage", "L", now, ""},
		{"m3/s", "volume_flow_rate", "m³/h", now, "* 3600"},
		{"l/s", "volume_flow_rate", "L/min", now, "* 60"},
		{"kg", "weight", "kg", now, ""},
		{"g", "weight", "g", now, ""},
		{"W/m2", "irradiance", "W/m²", now, ""},
		{"S/m", "conductivity", "µS/cm", now, "* 10000"},
		{"pH", "ph", "", now, ""},
		{"dBm", "signal_strength", "dBm", now, ""},
		{"dBW", "signal_strength", "dBm", now, "+ 30"},
		{"Bspl", "sound_pressure", "dB", now, "* 10"},
		{"bit", "data_size", "bit", now, ""},
		{"B", "data_size", "B", now, ""},
		{"KiB", "data_size", "KiB", now, ""},
		{"GB", "data_size", "GB", now, ""},
		{"bit/s", "data_rate", "bit/s", now, ""},
		{"Mbit/s", "data_rate", "Mbit/s", now, ""},
		{"B/s", "data_rate", "B/s", now, ""},
		{"MB/s", "data_rate", "MB/s", now, ""},
		{"%", "", "%", now, ""},
		{"/100", "", "%", now, ""},
		{"/", "", "%", now, "* 100"},
		{"/1000", "", "%", now, "* 0.1"},
		{"ppm", "", "ppm", now, ""},
		{"ppb", "", "ppb", now, ""},
		{"ppt", "", "ppt", now, ""},
		{"ug/m3", "", "µg/m³", now, ""},
		{"count", "", "", now, ""},
		{"dB", "", "dB", now, ""},
		{"1/s", "", "1/s", now, ""},
		{"1/min", "", "1/min", now, ""},
		{"beat/min", "", "bpm", now, ""},
		{"beats", "", "beats", up, ""},
		{"rad", "", "°", now, "* 57.29577951308232"},
		{"deg", "", "°", now, ""},
		{"lat", "", "°", now, ""},
		{"lon", "", "°", now, ""},
		{"sr", "", "sr", now, ""},
		{"cd", "", "cd", now, ""},
		{"cd/m2", "", "cd/m²", now, ""},
		{"lm", "", "lm", now, ""},
		{"mol", "", "mol", now, ""},
		{"N", "", "N", now, ""},
		{"C", "", "C", now, ""},
		{"F", "", "F", now, ""},
		{"Ohm", "", "Ω", now, ""},
		{"S", "", "S", now, ""},
		{"Wb", "", "Wb", now, ""},
		{"T", "", "T", now, ""},
		{"H", "", "H", now, ""},
		{"Bq", "", "Bq", now, ""},
		{"Gy", "", "Gy", now, ""},
		{"Sv", "", "Sv", now, ""},
		{"kat", "", "kat", now, ""},
		{"m/s2", "", "m/s²", now, ""},
		{"J/m", "", "J/m", now, ""},
		{"kg/m3", "", "kg/m³", now, ""},
		{"NTU", "", "NTU", now, ""},
		{"Ah", "", "Ah", now, ""},
		{"VAs", "", "VAs", up, ""},
		{"VAh", "", "VAh", up, ""},
		{"kVAh", "", "kVAh", up, ""},
		{"vars", "", "vars", up, ""},
		{"varh", "", "varh", up, ""},
		{"kvarh", "", "kvarh", up, ""},
		{"Wh/km", "", "Wh/km", now, ""},
		{"furlong", "", "furlong", now, ""}, // nobody's
	}
	tested := make(map[string]bool)
	for _, row := range rows {
		tested[row.unit] = true
		_, o := announced(t, testPlan(), Device{UID: "u", Senders: []Sender{{Name: "s", Events: []Event{{Name: "e", Unit: row.unit}}, Requests: []string{"e"}}}})
		number := part(t, o, "number--s--e")
		_, o = announced(t, testPlan(), Device{UID: "u", Senders: []Sender{{Name: "s", Events: []Event{{Name: "e", Unit: row.unit}}}}})
		c := part(t, o, "sensor--s--e")
		for _, c := range []object{c, number} {
			if text(c, "device_class") != row.class || text(c, "unit_of_measurement") != row.shown {
				t.Errorf("%s: %v", row.unit, c)
			}
			want := "{{ value_json if value_json is number else none }}"
			if row.times != "" {
				want = strings.Replace(want, "value_json", "value_json "+row.times, 1)
			}
			if got := text(c, "value_template"); got != want {
				t.Errorf("%s: the template is %s, not %s", row.unit, got, want)
			}
			if back, scaled := c["command_template"]; scaled != (row.times != "" && c["platform"] == "number") {
				t.Errorf("%s: the way back is %v", row.unit, back)
			}
		}
		if text(c, "state_class") != row.state {
			t.Errorf("%s: %v", row.unit, c)
		}
	}
	for unit := range meanings {
		if !tested[unit] {
			t.Errorf("unit %s has no row", unit)
		}
	}
}

// TestHints: names say what a unit leaves open, and nothing else does.
func TestHints(t *testing.T) {
	for _, row := range []struct{ sender, event, unit, class, state string }{
		{"air", "co2", "ppm", "carbon_dioxide", "measurement"},
		{"CO2", "level", "ppm", "carbon_dioxide", "measurement"},
		{"air", "co", "ppm", "carbon_monoxide", "measurement"},
		{"air", "cool", "ppm", "", "measurement"},
		{"air", "tvoc", "ppm", "volatile_organic_compounds_parts", "measurement"},
		{"air", "voc", "ppb", "volatile_organic_compounds_parts", "measurement"},
		{"dust", "pm2.5", "ug/m3", "pm25", "measurement"},
		{"dust", "PM2_5", "ug/m3", "pm25", "measurement"},
		{"dust", "pm1_0", "ug/m3", "pm1", "measurement"},
		{"dust", "pm1", "ug/m3", "pm1", "measurement"},
		{"dust", "pm10", "ug/m3", "pm10", "measurement"},
		{"pm10", "pm1", "ug/m3", "pm1", "measurement"}, // the event's name counts more
		{"air", "voc", "ug/m3", "volatile_organic_compounds", "measurement"},
		{"air", "no2", "ug/m3", "nitrogen_dioxide", "measurement"},
		{"air", "o3", "ug/m3", "ozone", "measurement"},
		{"air", "so2", "ug/m3", "sulphur_dioxide", "measurement"},
		{"radio", "rssi", "dB", "signal_strength", "measurement"},
		{"hall", "noise", "dB", "sound_pressure", "measurement"},
		{"roof", "rain", "mm/h", "precipitation_intensity", "measurement"},
		{"roof", "rain", "mm", "precipitation", "measurement"},
		{"roof", "gust", "m/s", "wind_speed", "measurement"},
		{"roof", "wind", "km/h", "wind_speed", "measurement"},
		{"bed", "soil", "%", "moisture", "measurement"},
		{"bed", "soil_moisture", "/100", "moisture", "measurement"},
		{"water", "meter", "m3", "volume", "total_increasing"},
		{"tank", "level", "l", "volume_storage", "measurement"},
		{"water", "total", "l", "volume", "total_increasing"},
		{"co2", "temp", "Cel", "temperature", "measurement"},
	} {
		_, o := announced(t, testPlan(), Device{UID: "u", Senders: []Sender{{Name: row.sender, Events: []Event{{Name: row.event, Unit: row.unit}}}}})
		c := part(t, o, "sensor--"+plain(row.sender)+"--"+plain(row.event))
		if text(c, "device_class") != row.class || text(c, "state_class") != row.state {
			t.Errorf("%+v: %v", row, c)
		}
	}
	for _, h := range hints {
		if _, known := meanings[h.unit]; !known || len(h.words) == 0 {
			t.Errorf("hint %+v", h)
		}
	}
}

// TestGolden: whole announcements, as they are published.
func TestGolden(t *testing.T) {
	greenhouse := Device{UID: "10000001", Name: "greenhouse", Senders: []Sender{
		{Name: "climate", Events: []Event{
			{Name: "temp", Unit: "Cel", Kind: Number, Interval: 10 * time.Second}, {Name: "humidity", Unit: "%RH"}, {Name: "co2", Unit: "ppm"},
		}},
		{Name: "lamp", Events: []Event{{Name: "on", Kind: Boolean}, {Name: "level", Unit: "/", Kind: Number}, {Name: "mode", Kind: Text}},
			Requests: []string{"set_on", "set_level", "identify", "read"}},
		{Name: "door", Events: []Event{{Name: "open", Kind: Boolean}, {Name: "#bell", Kind: Nothing}, {Name: "raw", Kind: Other}, {Name: "new"}}},
	}}
	for name, d := range map[string]Device{
		"device": greenhouse,
		"hub":    {Senders: []Sender{{Name: "cpu", Events: []Event{{Name: "temp", Unit: "Cel", Interval: time.Second}}}}},
	} {
		a := testPlan().Announce(&d)
		data := a.Payload(nil)
		if err := judge(a.Topic, data); err != nil {
			t.Error(err)
		}
		var pretty bytes.Buffer
		pretty.WriteString(a.Topic + "\n")
		if err := json.Indent(&pretty, data, "", "  "); err != nil {
			t.Fatal(err)
		}
		pretty.WriteByte('\n')
		file := filepath.Join("testdata", name+".golden")
		if *update {
			if err := os.WriteFile(file, pretty.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(pretty.Bytes(), want) {
			t.Errorf("%s is\n%s", name, pretty.String())
		}
	}
}

// TestEntities: what events and requests become.
func TestEntities(t *testing.T) {
	plan := testPlan()
	plan.Requests = map[string]string{"board/led": Switch, "board/speed": NumberBox, "board/flash": Button, "board/reset": None, "valve/set_open": None}
	_, o := announced(t, plan, Device{UID: "u", Senders: []Sender{
		{Name: "board", Requests: []string{"led", "speed", "flash", "reset", "read", "stop", "restart"}},
		{Name: "valve", Events: []Event{{Name: "open", Kind: Boolean}, {Name: "speed", Kind: Number}, {Name: "text", Kind: Text}},
			Requests: []string{"set_open", "setSpeed", "set_text"}},
	}})
	keys := sortedKeys(o["components"].(object))
	want := "binary_sensor--valve--open button--board--request--flash button--board--request--restart button--board--request--stop " +
		"number--board--request--speed number--valve--speed sensor--valve--text switch--board--request--led"
	if got := strings.Join(keys, " "); got != want {
		t.Errorf("there are\n%s, not\n%s", got, want)
	}
	if c := part(t, o, "number--valve--speed"); c["command_topic"] != "sighub/valve/_request/setSpeed" || c["state_topic"] != "sighub/valve/speed" {
		t.Errorf("%v", c)
	}
	if c := part(t, o, "switch--board--request--led"); c["state_topic"] != nil || c["payload_on"] != "true" {
		t.Errorf("%v", c)
	}
}

// TestNames: no name of a stranger makes an announcement that is refused, or takes another's place.
func TestNames(t *testing.T) {
	names := []string{"a", "A", "a_b", "a-b", "a b", "a/b", "+", "#", "#alarm", "%2F", "_state", "$SYS", "ä", "日本", "\"", "{{ 1 }}", "--", "-2d", "a--b",
		strings.Repeat("x", 255), strings.Repeat("/", 255), "_request", "a/_b"}
	var d Device
	d.UID = "10/ä--"
	for _, name := range names {
		s := Sender{Name: name, Requests: names}
		for _, event := range names {
			s.Events = append(s.Events, Event{Name: event, Unit: event})
		}
		d.Senders = append(d.Senders, s)
	}
	plan := testPlan()
	plan.Requests = map[string]string{}
	for _, s := range names {
		for _, r := range names {
			plan.Requests[s+"/"+r] = Button
		}
	}
	_, o := announced(t, plan, d)
	if n := len(o["components"].(object)); n != 2*len(names)*len(names) {
		t.Errorf("there are %d components", n)
	}
}

// TestTopics: names come back, and no two have one topic.
func TestTopics(t *testing.T) {
	p := Topics{Prefix: "x/"}
	had := make(map[string]bool)
	names := []string{"a", "a/b", "a/_b", "%", "%2F", "#", "+a+", "_state", "_request", "_", "$SYS", "a_$", "a/", "/a", "日本", "a/b/c/d"}
	for _, sender := range names {
		for _, name := range names {
			topic := p.Event(sender, name)
			if had[topic] || strings.ContainsAny(topic, "+#") || strings.Contains(strings.TrimPrefix(topic, "x/"), "/_") {
				t.Errorf("%q of %q is %q", name, sender, topic)
			}
			had[topic] = true
			if s, r, ok := p.ParseRequest(p.Request(sender, name)); !ok || s != sender || r != name {
				t.Errorf("%q: %q, %q, %t", p.Request(sender, name), s, r, ok)
			}
		}
	}
	for _, topic := range []string{
		"", "x/", "x/a/b", "x/a/_request", "x/a/_request/", "a/_request/b", "x/a/_request/b/c", "x/a/_state/b", "x//_request/b/", "x/_request/b",
		"x/a/_request/%", "x/a/_request/%2", "x/a/_request/%2f", "x/a/_request/%41", "x/_a/_request/b", "x/a/_request/+", "x/#/_request/b",
	} {
		if s, r, ok := p.ParseRequest(topic); ok {
			t.Errorf("%q is the request %q of %q", topic, r, s)
		}
	}
}

// TestGone: what is to be removed is told by its platform alone, and what has come back is not removed.
func TestGone(t *testing.T) {
	a := testPlan().Announce(&Device{UID: "u", Senders: []Sender{{Name: "s", Events: []Event{{Name: "e", Unit: "V"}}}}})
	data := a.Payload(map[string]string{"sensor--s--old": "sensor", "sensor--s--e": "sensor"})
	if err := judge(a.Topic, data); err != nil {
		t.Error(err)
	}
	var o object
	if err := json.Unmarshal(data, &o); err != nil {
		t.Fatal(err)
	}
	if old := part(t, o, "sensor--s--old"); len(old) != 1 {
		t.Errorf("%v", old)
	}
	if e := part(t, o, "sensor--s--e"); len(e) < 5 {
		t.Errorf("%v", e)
	}
}

// FuzzTopics: whatever a broker sends as a topic is a request or is not.
func FuzzTopics(f *testing.F) {
	for _, s := range []string{"a/_request/b", "%2F/_request/%", "", "/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, topic string) {
		sender, name, ok := Topics{}.ParseRequest(topic)
		if ok && (Topics{}).Request(sender, name) != topic {
			t.Errorf("%q is the request %q of %q", topic, name, sender)
		}
	})
}

// TestOwnPort: what is announced at the hub's own port has topics that are there: states are kept below _now, and requests are asked as
// everywhere.
func TestOwnPort(t *testing.T) {
	p := testPlan()
	p.Topics = Topics{Prefix: "_now/", Bare: true}
	for _, sender := range []string{"pump", "tele/kitchen", "_odd/+#%", "$x"} {
		d := Device{UID: "u", Senders: []Sender{{
			Name: sender, Requests: []string{"set_lamp", "reset", "level"},
			Events: []Event{{Name: "temp", Unit: "Cel", Interval: time.Second}, {Name: "lamp", Kind: Boolean}, {Name: "level", Unit: "%EL"}, {Name: "_t/x", Kind: Text}, {Name: "pressed", Kind: Nothing}},
		}}}
		_, o := announced(t, p, d)
		for key, v := range o["components"].(object) {
			c := v.(object)
			if state := text(c, "state_topic"); state != "" {
				rest, ok := strings.CutPrefix(state, "_now/")
				n, err := topic.Parse(rest)
				if !ok || err != nil || n.Kind != topic.Event || n.Sender != sender || !topic.IsKept(state) {
					t.Errorf("%s: the state is at %s: %+v, %v", key, state, n, err)
				}
			}
			if command := text(c, "command_topic"); command != "" {
				if n, err := topic.Parse(command); err != nil || n.Kind != topic.Request || n.Sender != sender {
					t.Errorf("%s: the request is at %s: %+v, %v", key, command, n, err)
				}
			}
			for i, want := range []string{"_now/_state", "_now/" + topic.Of(sender, topic.Connect)} {
				if got := c["availability"].([]any)[i].(object)["topic"]; got != want {
					t.Errorf("%s: availability %v, not %s", key, got, want)
				}
			}
		}
	}
	if _, o := announced(t, p, Device{Senders: []Sender{{Name: "cpu", Events: []Event{{Name: "temp", Unit: "Cel"}}}}}); text(part(t, o, "binary_sensor--hub"), "state_topic") != "_now/_state" {
		t.Error("the hub has another topic")
	}
}
