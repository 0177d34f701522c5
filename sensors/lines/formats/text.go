package formats

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Text returns a line as text in UTF-8, without white space around it and without the colours of a terminal. A line in Latin-1 is
// converted. The error wraps [ErrNoise] if
// the line has control characters, as noise and a wrong baud give, or nothing at all.
func Text(line string) (string, error) {
	if strings.Contains(line, colour) {
		line = uncoloured(line)
	}
	ascii := true
	for i := range len(line) {
		switch c := line[i]; {
		case c >= ' ' && c < 0x7f, c == '\t':
		case c >= 0x80:
			ascii = false
		case strings.Trim(line[i:], "\x00\r\n") == "" || strings.Trim(line[:i+1], "\x00") == "":
			// zeros at the ends, as of boards that start and of sketches that print a whole buffer
		default:
			return "", fmt.Errorf("%w: it has the control character 0x%02x", ErrNoise, c)
		}
	}
	line = strings.Trim(line, " \t\r\n\x00")
	switch {
	case line == "":
		return "", fmt.Errorf("%w: the line is empty", ErrNoise)
	case ascii:
		return line, nil
	case utf8.ValidString(line):
		return strings.TrimPrefix(line, "\ufeff"), nil
	}
	return latin1(line)
}

// colour begins what sets a colour on a terminal, as the logs of many boards have it: ESC, [, numbers with semicolons, m (ECMA-48, SGR).
const colour = "\x1b["

func uncoloured(line string) string {
	var b strings.Builder
	for {
		text, rest, found := strings.Cut(line, colour)
		b.WriteString(text)
		if !found {
			return b.String()
		}
		end := len(rest) - len(strings.TrimLeft(rest, "0123456789;"))
		if end == len(rest) || rest[end] != 'm' {
			b.WriteString(colour) // something else, which is no text
			line = rest
			continue
		}
		line = rest[end+1:]
	}
}

// latin1 converts a line whose upper half can only be that of Latin-1: letters and signs, few of them, and no C1 control characters.
func latin1(line string) (string, error) {
	var b strings.Builder
	upper := 0
	for i := range len(line) {
		c := line[i]
		if c >= 0x80 && c < 0xa0 {
			return "", fmt.Errorf("%w: it has the byte 0x%02x, and is neither UTF-8 nor Latin-1", ErrNoise, c)
		}
		if c >= 0xa0 {
			upper++
		}
		b.WriteRune(rune(c))
	}
	if upper*2 > len(line) {
		return "", fmt.Errorf("%w: most of it is neither UTF-8 nor ASCII", ErrNoise)
	}
	return b.String(), nil
}

// isBoot reports whether a line is what the ROM of a usual board prints when it starts, which looks like pairs: ESP8266 and ESP32, as
// Espressif describes it.
func isBoot(line string) bool {
	for _, begin := range []string{"rst:0x", "load:0x", "load 0x", "entry 0x", "mode:D", "mode:Q", "configsip:", "clk_drv:", "ets ", "csum 0x",
		"chksum 0x", "tail ", "Build:", "SPIWP:", "Saved PC:", "ESP-ROM:", "cut here", "wdt reset", "len:"} {
		if strings.HasPrefix(line, begin) {
			return true
		}
	}
	return false
}
