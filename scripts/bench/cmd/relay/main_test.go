package main

import "testing"

func TestWholeMessages(t *testing.T) {
	for stream, want := range map[string]int{
		"":                               0,
		"\x00\x00\x00":                   0,
		"\x00\x00\x00\x02a":              0,
		"\x00\x00\x00\x02ab":             6,
		"\x00\x00\x00\x02ab\x00\x00\x00": 6,
		"\x00\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x00\x09": 9,
	} {
		if got := wholeMessages([]byte(stream)); got != want {
			t.Errorf("of %q %d bytes are whole messages, want %d", stream, got, want)
		}
	}
}

func FuzzWholeMessages(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x02ab\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		end := wholeMessages(b)
		if end > len(b) || end > 0 && wholeMessages(b[:end]) != end || wholeMessages(b[end:]) != 0 {
			t.Errorf("of %q %d bytes are whole messages", b, end)
		}
	})
}
