package formats

import (
	"os"
	"testing"
	"time"
)

// BenchmarkLines: each format takes 100,000 lines a second and more.
func BenchmarkLines(b *testing.B) {
	for name, lines := range map[string][]string{
		JSON: {`{"temp":21.5,"hum":40}`}, Pairs: {"temp:21.5,hum:40"}, Number: {"512"}, MySensors: {"12;6;1;0;0;36.5"},
		NMEA: {
			"$GPRMC,123519.00,A,4807.0380,N,01131.0000,E,022.4,084.4,230326,003.1,W,A*20",
			"$GPGGA,123519.00,4807.0380,N,01131.0000,E,1,08,0.9,545.4,M,46.9,M,,*69",
		},
	} {
		b.Run(name, func(b *testing.B) { bench(b, Options{Format: name}, lines) })
	}
	b.Run(CSV, func(b *testing.B) {
		bench(b, Options{Format: CSV, Columns: []string{"temp", "hum"}}, []string{"21.5,40"})
	})
	b.Run(Pattern, func(b *testing.B) {
		bench(b, Options{Format: Pattern, Pattern: meterPattern}, []string{"1-0:1.8.0(000123.4*kWh)"})
	})
	b.Run(DSMR, func(b *testing.B) {
		data, err := os.ReadFile("testdata/dsmr-off.bin")
		if err != nil {
			b.Fatal(err)
		}
		var lines []string
		var s Splitter
		s.Feed(data, corpusTime, func(line []byte, _ time.Time) { lines = append(lines, string(line)) })
		bench(b, Options{Format: DSMR, Unchecked: true}, lines)
	})
}

func bench(b *testing.B, o Options, lines []string) {
	p := newParser(b, o)
	var list []Event
	n := 0
	for b.Loop() {
		var err error
		if list, err = p.Parse(list[:0], lines[n%len(lines)], corpusTime); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "lines/s")
}
