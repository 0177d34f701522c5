package page

import (
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"

	"sighub/scripts/bench/peers"
	"sighub/scripts/bench/results"
)

// written returns the page of some figures.
func written(t *testing.T) string {
	t.Helper()
	var all results.Results
	for round := range 3 {
		for i, name := range peers.Names() {
			v := float64(1000 * (i + 1 + round))
			if name == peers.Relay {
				v *= 100
			}
			all.Add("one-to-one", name, round, "events/s", v)
			for _, who := range []string{"peer's", "sender's", "listener's"} {
				all.Add("one-to-one", name, round, who+" CPU, µs/event", v/1000)
				all.Add("one-to-one", name, round, who+" system calls/event", 0)
			}
		}
	}
	all.Add("devices", peers.Hub, 0, "p99, µs", 300)
	all.Complete()
	r := &results.Report{
		Rows: all.Rows, Promises: results.Judge(&all), Machine: `<script>alert("x")</script>`, Failures: []string{"a < b"},
		Settings: map[string]string{"rounds": "3 rounds"},
	}
	var b strings.Builder
	if err := Write(&b, r, func(name string) string { return "about " + name }); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The page shows every figure and every peer, refers to nothing elsewhere, and what it is made of is harmless in it.
func TestPage(t *testing.T) {
	p := written(t)
	for _, want := range append(peers.Names(), "about one-to-one", "about devices", "processor time, µs for each event", "a &lt; b", "kept", "missed") {
		if !strings.Contains(p, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	if strings.Contains(p, "<script") {
		t.Error("what describes the machine is not escaped")
	}
	if found := regexp.MustCompile(`(?i)(src|href)="[^#"]|url\(|https?:|@import`).FindString(p); found != "" {
		t.Errorf("the page refers to something elsewhere: %s", found)
	}
}

// Every chart is a sound XML document, whose bars lie within it.
func TestCharts(t *testing.T) {
	charts := regexp.MustCompile(`(?s)<svg .*?</svg>`).FindAllString(written(t), -1)
	if len(charts) != 3 {
		t.Fatalf("there are %d charts, want 3", len(charts))
	}
	for _, c := range charts {
		bars := 0
		for d := xml.NewDecoder(strings.NewReader(c)); ; {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%v in %s", err, c)
			}
			if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
				bars++
			}
		}
		if bars < len(peers.Names()) {
			t.Errorf("%d bars of %d peers", bars, len(peers.Names()))
		}
		for _, m := range regexp.MustCompile(`(x|x1|x2|width)="([^"]*)"`).FindAllStringSubmatch(c, -1) {
			if strings.HasPrefix(m[2], "-") || strings.Contains(m[2], "NaN") || strings.Contains(m[2], "Inf") {
				t.Errorf("%s stands in a chart", m[0])
			}
		}
	}
}

// A peer that is far beyond the others is cut off; sighub never is, and nobody if all are alike.
func TestScale(t *testing.T) {
	for name, c := range map[string]struct {
		values map[string]float64
		beyond []string
	}{
		"alike":         {map[string]float64{peers.Hub: 3, peers.NATS: 2, peers.Relay: 5}, nil},
		"relay is far":  {map[string]float64{peers.Hub: 3, peers.NATS: 2, peers.Relay: 50}, []string{peers.Relay}},
		"two are far":   {map[string]float64{peers.Hub: 1, peers.NATS: 2, peers.Mosquitto: 40, peers.Mochi: 500}, []string{peers.Mosquitto, peers.Mochi}},
		"sighub is far": {map[string]float64{peers.Hub: 90, peers.NATS: 2, peers.Relay: 3}, nil},
		"alone":         {map[string]float64{peers.Hub: 90}, nil},
		"zeros":         {map[string]float64{peers.Hub: 0, peers.NATS: 0}, nil},
	} {
		s := scaleOf(c.values)
		for peer, v := range c.values {
			want := false
			for _, b := range c.beyond {
				want = want || b == peer
			}
			if s.beyond(v) != want {
				t.Errorf("%s: %s is beyond the axis: %t, want %t", name, peer, !want, want)
			}
		}
		if n := len(s.steps()); n < 2 || n > 7 {
			t.Errorf("%s: the axis has %d steps: %v", name, n, s.steps())
		}
	}
}
