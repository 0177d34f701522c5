package safetext

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxLine is the length of the longest text that [Line] returns, in bytes.
const MaxLine = 4096

// Line returns a text on one line, harmless for a terminal, a table or a log. What is not is shown as Go would write it: \n,
// \x1b, \u202e. A byte that is not UTF-8 is shown as \xff. A text of more than [MaxLine] bytes is cut, and ends with a note of
// how long it is.
func Line(text string) string { return Short(text, MaxLine) }

// Short is Line with another maximum, in bytes, of 32 or more.
func Short(text string, most int) string {
	if len(text) <= most {
		line := escape(text)
		if len(line) <= most {
			return line
		}
		return cut(line, most, len(text))
	}
	return cut(escape(text[:boundary(text, most)]), most, len(text)) // an escaped text is not shorter
}

// Whole is Line without a maximum.
func Whole(text string) string { return escape(text) }

// cut shortens a line to most bytes, with a note of how long the text is.
func cut(line string, most, length int) string {
	note := fmt.Sprintf(" … (%d bytes in all)", length)
	return line[:boundary(line, most-len(note))] + note
}

// Middle is Short for a text whose end matters too, such as the name and the address of a client: it leaves out the middle.
func Middle(text string, most int) string {
	if len(text) > 2*MaxLine {
		text = text[:MaxLine] + text[len(text)-MaxLine:]
	}
	line := escape(text)
	if len(line) <= most {
		return line
	}
	const gap = "…"
	half := (most - len(gap)) / 2
	tail := line[len(line)-half:]
	for tail != "" && !utf8.RuneStart(tail[0]) {
		tail = tail[1:]
	}
	return line[:boundary(line, half)] + gap + strings.TrimLeft(tail, joiners)
}

// joiners have a meaning only with what is on both sides of them.
const joiners = string(zeroWidthJoiner) + string(emojiStyle) + string(textStyle)

// boundary returns where to cut, at or before at, without splitting a rune or an emoji.
func boundary(text string, at int) int {
	at = min(at, len(text)) // a text of which much was left out before may be shorter
	for at > 0 && at < len(text) && !utf8.RuneStart(text[at]) {
		at--
	}
	return len(strings.TrimRight(text[:at], joiners))
}

func escape(text string) string {
	if plain(text) {
		return text
	}
	var b strings.Builder
	s := scanner{text: text}
	for s.next() {
		if s.fault == "" {
			b.WriteString(s.text[s.start:s.end])
		} else {
			b.WriteString(escaped(s.r, s.text[s.start:s.end]))
		}
	}
	return b.String()
}

// plain reports whether a text is printable ASCII, as nearly all are.
func plain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

func escaped(r rune, raw string) string {
	if r == utf8.RuneError && len(raw) == 1 {
		return fmt.Sprintf(`\x%02x`, raw[0])
	}
	if unicode.IsMark(r) { // quoting would show it, and put it on the backslash
		return fmt.Sprintf(`\u%04x`, r)
	}
	q := strconv.QuoteToASCII(string(r))
	return q[1 : len(q)-1]
}

// JSON returns a line of JSON in which harmful characters are escaped as JSON does it: whoever decodes it gets the same values.
// The line is JSON already; what is not UTF-8 in it becomes U+FFFD.
func JSON(line []byte) []byte {
	if plain(string(line)) {
		return line
	}
	out := make([]byte, 0, len(line)+16)
	s := scanner{text: string(line)}
	for s.next() {
		switch {
		case s.fault == "":
			out = append(out, s.text[s.start:s.end]...)
		case s.r < ' ': // white space between values; inside of a text, JSON does not allow it
			out = append(out, ' ')
		case s.r > 0xffff:
			high := 0xd800 + (s.r-0x10000)>>10
			low := 0xdc00 + (s.r-0x10000)&0x3ff
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, s.r)
		}
	}
	return out
}
