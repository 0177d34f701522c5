package lines

import (
	"bytes"
	"errors"
	"testing"

	"sighub/hub"
	"sighub/sensors/lines/formats"
)

// A torrent is a port that brings lines as fast as they are taken.
type torrent struct {
	text []byte // whole lines
	left int    // of these
}

func (p *torrent) Read(b []byte) (int, error) {
	if p.left <= 0 {
		return 0, errors.New("no more")
	}
	p.left--
	return copy(b, p.text), nil
}
func (p *torrent) Write(b []byte) (int, error) { return len(b), nil }
func (p *torrent) Close() error                { return nil }

// BenchmarkSpeaker: from the port to the events of a router, 100,000 lines a second and more.
func BenchmarkSpeaker(b *testing.B) {
	for _, format := range []string{formats.Pairs, formats.JSON, formats.MySensors} {
		b.Run(format, func(b *testing.B) {
			line := map[string]string{
				formats.Pairs: "temp:21.5,hum:40\n", formats.JSON: "{\"temp\":21.5,\"hum\":40}\n", formats.MySensors: "12;6;1;0;0;36.5\n",
			}[format]
			const together = 100
			router := hub.NewRouter(hub.Options{})
			s, err := New(Options{Options: formats.Options{Format: format}, Sender: "s", Baud: 9600}, Place{Router: func() *hub.Router { return router }})
			if err != nil {
				b.Fatal(err)
			}
			p := &torrent{text: bytes.Repeat([]byte(line), together), left: b.N/together + 1}
			b.ReportAllocs()
			b.ResetTimer()
			_ = s.Speak(b.Context(), p)
			b.ReportMetric(float64(s.tally.lines)/b.Elapsed().Seconds(), "lines/s")
			if s.tally.readings+1 < s.tally.lines {
				b.Errorf("%d lines, %d readings", s.tally.lines, s.tally.readings)
			}
		})
	}
}
