package simulator

import (
	"testing"
	"time"

	"sighub/sensors/lines/formats"
)

// TestLinePrinter: what a simulated device prints is understood as what it is, without a refusal.
func TestLinePrinter(t *testing.T) {
	for _, format := range formats.Names() {
		d, err := NewLinePrinter(LinesOptions{Format: format, Day: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		p, err := formats.New(formats.Options{Format: format, Pattern: "T=(?P<temp>[-0-9.]+) H=(?P<hum>[-0-9.]+)"})
		if err != nil {
			t.Fatal(err)
		}
		events := 0
		at := time.Now()
		for range 100 {
			at = at.Add(700 * time.Millisecond)
			text := d.text(at)
			if events == 0 {
				text = d.greeting() + text
			}
			for _, line := range formats.Lines(text) {
				if format == formats.DSMR {
					continue
				}
				list, err := p.Parse(nil, line, at)
				if err != nil {
					t.Fatalf("%s: %q: %v", format, line, err)
				}
				events += len(list)
			}
			if format == formats.DSMR {
				var s formats.Splitter
				s.Feed([]byte(text), at, func(line []byte, at time.Time) {
					list, err := p.Parse(nil, string(line), at)
					if err != nil {
						t.Fatalf("%q: %v", line, err)
					}
					events += len(list)
				})
			}
		}
		if events < 100 {
			t.Errorf("%s: %d events", format, events)
		}
	}
	if _, err := NewLinePrinter(LinesOptions{Format: "x"}); err == nil {
		t.Error("any format is taken")
	}
}
