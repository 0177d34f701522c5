package metrics

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"sighub/bridge"
	"sighub/carrier"
	"sighub/carrier/serial"
	"sighub/journal"
)

// all returns a Hub that tells everything.
func all(t *testing.T) *Hub {
	t.Helper()
	j, err := journal.Open(t.TempDir(), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	trip := 2.5
	ports := []serial.PortInfo{
		{Port: "/dev/ttyUSB0", State: serial.PortConnected, Since: time.Unix(1000, 0), Frames: 7, BadFrames: 2, Baud: 9600, Device: &serial.DeviceInfo{
			UID: "ab", Name: "porch \"\\\n", Firmware: "1", Readings: 9, Resent: 1, Repeated: 1, Refused: map[string]uint64{"value": 3}, RoundTrip: &trip,
			Clock: &serial.ClockInfo{Uncertainty: 1.5, Drift: 20},
		}},
		{Port: "/dev/ttyUSB1", State: serial.PortAbsent, Since: time.Unix(2000, 0)},
		{Port: "/dev/ttyUSB1", State: serial.PortAbsent}, // which should not be
	}
	return &Hub{
		Version: "1.2", Started: time.Unix(500, 0), Budget: carrier.NewBudget(1 << 20), Journal: j,
		Senders: func() (int, int) { return 3, 4 }, Clients: func() int { return 5 }, Connections: func() int { return 6 },
		Refused: func() map[string]uint64 { return map[string]uint64{"limit": 1, "host": 2} },
		Ports:   func() []serial.PortInfo { return ports },
	}
}

var (
	nameForm  = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	valueForm = regexp.MustCompile(`^([a-z0-9_]+)(\{(?:[a-z]+="(?:[^"\\\n]|\\[\\n"])*",?)*\})? (\S+)$`)
	used      = regexp.MustCompile(`\bsighub_[a-z0-9_]+`)
)

// families reads a text strictly, and returns the names of its values.
func families(t *testing.T, text string, open bool) map[string]int {
	t.Helper()
	names, seen, typed := make(map[string]int), make(map[string]bool), make(map[string]string)
	family, ended := "", false
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		if ended {
			t.Errorf("after the end: %s", line)
		}
		switch f := strings.SplitN(line, " ", 4); {
		case line == "# EOF":
			ended = true
		case strings.HasPrefix(line, "# HELP "):
			family = f[2]
		case strings.HasPrefix(line, "# TYPE "):
			if f[2] != family || typed[family] != "" || !nameForm.MatchString(family) {
				t.Errorf("type of %s: %s", family, line)
			}
			typed[family] = f[3]
			if f[3] == "counter" && open == strings.HasSuffix(family, "_total") {
				t.Errorf("counter %s", line)
			}
		default:
			m := valueForm.FindStringSubmatch(line)
			if m == nil || !strings.HasPrefix(m[1], family) || seen[m[1]+m[2]] {
				t.Errorf("in %s: %q", family, line)
				continue
			}
			seen[m[1]+m[2]] = true
			names[m[1]]++
		}
	}
	if ended != open {
		t.Errorf("ended: %v", ended)
	}
	return names
}

// TestText: both forms can be read, and no value is there twice.
func TestText(t *testing.T) {
	h := all(t)
	for _, open := range []bool{false, true} {
		out := httptest.NewRecorder()
		h.Write(out, open)
		names := families(t, out.Body.String(), open)
		if names["sighub_build_info"] != 1 || names["sighub_port_up"] != 2 || names["sighub_refused_strangers_total"] != 2 || names["sighub_port_bad_frames_total"] != 2 {
			t.Errorf("%v", names)
		}
		if kind := out.Header().Get("Content-Type"); strings.HasPrefix(kind, "application/openmetrics-text") != open {
			t.Error(kind)
		}
		if text := out.Body.String(); !strings.Contains(text, `device="porch \"\\\n"`) || !strings.Contains(text, "sighub_port_round_trip_seconds{port=\"/dev/ttyUSB0\"} 0.0025\n") {
			t.Error(text)
		}
	}
	names := families(t, string((&Hub{}).text(true)), true)
	if names["sighub_goroutines"] != 1 || names["sighub_journal_bytes"] != 0 {
		t.Errorf("of nothing: %v", names)
	}
}

// TestBounded: however many ports and causes there are, and whatever they are called, the text has an end.
func TestBounded(t *testing.T) {
	h := all(t)
	many := make([]serial.PortInfo, 10_000)
	causes := make(map[string]uint64)
	for i := range many {
		name := strings.Repeat("\xff\u2028é", 100) + time.Duration(i).String()
		many[i] = serial.PortInfo{Port: time.Duration(i).String() + name, State: serial.PortConnected, Device: &serial.DeviceInfo{Name: name}}
		causes[name] = 1
	}
	h.Ports, h.Refused = func() []serial.PortInfo { return many }, func() map[string]uint64 { return causes }
	text := string(h.text(true))
	for name, n := range families(t, text, true) {
		if n > mostSeries {
			t.Errorf("%s has %d values", name, n)
		}
	}
	if len(text) > 20*mostSeries*2*longest {
		t.Errorf("%d bytes", len(text))
	}
}

// TestDashboard: the dashboard and the alerts use nothing that is not told, and the dashboard loads unchanged.
func TestDashboard(t *testing.T) {
	known := families(t, string(all(t).text(false)), false)
	check := func(where, expr string) {
		if expr == "" {
			t.Errorf("%s: nothing is asked", where)
		}
		for _, name := range used.FindAllString(expr, -1) {
			if known[name] == 0 {
				t.Errorf("%s: %s is not told", where, name)
			}
		}
	}
	var board struct {
		Title, UID string
		Templating struct {
			List []struct {
				Name, Type string
				Query      any
			}
		}
		Panels []struct {
			Title      string
			Datasource struct{ UID string }
			Targets    []struct {
				Expr       string
				Datasource struct{ UID string }
			}
		}
	}
	text, err := os.ReadFile("../../packaging/grafana/sighub.json")
	if err == nil {
		err = json.Unmarshal(text, &board)
	}
	if err != nil || len(board.Panels) < 10 || board.Templating.List[0].Type != "datasource" || strings.Contains(string(text), "__inputs") {
		t.Fatalf("%+v, %v", board, err)
	}
	for _, name := range used.FindAllString(string(text), -1) {
		check("the dashboard", name)
	}
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			check(p.Title, target.Expr)
			if p.Datasource.UID != "${datasource}" || target.Datasource.UID != "${datasource}" {
				t.Errorf("%s asks another source", p.Title)
			}
		}
	}
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	text, err = os.ReadFile("../../packaging/prometheus/sighub.rules.yml")
	if err == nil {
		err = yaml.UnmarshalWithOptions(text, &rules, yaml.Strict())
	}
	if err != nil || len(rules.Groups) != 1 || len(rules.Groups[0].Rules) < 5 {
		t.Fatalf("%+v, %v", rules, err)
	}
	for _, r := range rules.Groups[0].Rules {
		check(r.Alert, r.Expr)
		if r.Labels["severity"] == "" || r.Annotations["summary"] == "" {
			t.Errorf("%s says too little: %+v", r.Alert, r)
		}
	}
}

// TestBridges: what is not known of a bridge is not told.
func TestBridges(t *testing.T) {
	at, left := time.Unix(1_790_000_000, 0), 0.5
	h := Hub{Bridges: func() []bridge.Status {
		return []bridge.Status{{Name: "a", Kind: "nats", Connected: true, Since: at}, {Name: "b", Kind: "mqtt", Since: at, Lag: 7, Oldest: &at, Left: &left, Sent: 3}}
	}}
	text := string(h.text(true))
	names := families(t, text, true)
	if names["sighub_bridge_up"] != 2 || names["sighub_bridge_oldest_waiting_timestamp_seconds"] != 1 || names["sighub_bridge_sent_events_total"] != 2 {
		t.Errorf("%v", names)
	}
	for _, want := range []string{`sighub_bridge_up{bridge="a",kind="nats"} 1`, `sighub_bridge_waiting_events{bridge="b",kind="mqtt"} 7`, `sighub_bridge_room_seconds{bridge="b",kind="mqtt"} 1800`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing in\n%s", want, text)
		}
	}
}
