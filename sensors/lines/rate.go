package lines

import (
	"slices"
	"time"

	"sighub/sensors/lines/formats"
)

// A rateFinder looks for the rate at which a port brings text. At a wrong one, most bytes are none.
type rateFinder struct {
	rates   []int
	at      int // of rates
	bytes   int // at this rate
	strange int // of these, that are no text
	since   time.Time
}

// What a rate is judged by.
const (
	enoughBytes = 16
	fewBytes    = 6               // are enough after fewTime: of a device that prints seldom
	fewTime     = 3 * time.Second //
	startTime   = 20 * time.Millisecond
)

// usualRates are the rates that are tried, the most usual one first.
func usualRates(format string) []int {
	rates := []int{115200, 9600, 57600, 38400, 19200, 230400, 4800, 2400, 1200, 300, 250000, 74880, 460800, 500000, 921600, 1_000_000}
	var first []int
	switch format {
	case formats.NMEA:
		first = []int{9600, 4800, 38400, 115200}
	case formats.DSMR, formats.MySensors:
		first = []int{115200, 9600}
	default:
		first = []int{9600, 115200}
	}
	return append(first, slices.DeleteFunc(rates, func(r int) bool { return slices.Contains(first, r) })...)
}

// rate returns the present rate.
func (f *rateFinder) rate() int { return f.rates[f.at] }

// begin begins with the present rate.
func (f *rateFinder) begin(now time.Time) { f.bytes, f.strange, f.since = 0, 0, now }

// note takes bytes that have arrived, and reports whether the rate is wrong: then it goes on to the next one.
func (f *rateFinder) note(data []byte, now time.Time) (wrong bool) {
	if now.Sub(f.since) < startTime { // what came at the rate before, and half a byte
		return false
	}
	for _, c := range data {
		f.bytes++
		if (c < ' ' || c >= 0x7f) && c != '\r' && c != '\n' && c != '\t' {
			f.strange++
		}
	}
	enough := f.bytes >= enoughBytes || f.bytes >= fewBytes && now.Sub(f.since) >= fewTime
	if !enough {
		return false
	}
	if f.strange*4 <= f.bytes {
		if f.bytes > 64*enoughBytes { // what comes now counts, not what came an hour ago
			f.bytes, f.strange = f.bytes/2, f.strange/2
		}
		return false
	}
	f.at = (f.at + 1) % len(f.rates)
	f.begin(now)
	return true
}
