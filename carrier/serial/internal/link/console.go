package link

import (
	"bytes"
	"log/slog"
	"strconv"
	"time"
	"unicode/utf8"
)

const (
	consoleLine  = 200 // bytes that are shown of a line of text
	consoleBurst = 20  // lines
	consoleRate  = 10  // lines per second
)

// A console logs the text that a device prints between its frames, as boot loaders and debug output do. What comes
// faster than people read is counted instead.
type console struct {
	log     *slog.Logger
	port    string
	credit  float64 // lines that may be logged
	at      time.Time
	skipped int
}

func (c *console) write(now time.Time, text []byte) {
	for line := range bytes.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		c.line(now, line)
	}
}

func (c *console) line(now time.Time, line []byte) {
	if c.at.IsZero() {
		c.credit = consoleBurst
	} else {
		c.credit = min(consoleBurst, c.credit+now.Sub(c.at).Seconds()*consoleRate)
	}
	c.at = now
	if c.credit < 1 {
		c.skipped++
		return
	}
	c.credit--
	quoted := strconv.Quote(string(line[:min(len(line), consoleLine)]))
	args := []any{"port", c.port, "text", quoted[1 : len(quoted)-1]}
	if c.skipped > 0 {
		args = append(args, "skipped", c.skipped)
		c.skipped = 0
	}
	c.log.Info("device prints", args...)
}

// readable returns what is text in a chunk, and whether that is all of it. Boot loaders print at rates of their own, so
// that garbage and lines of text may stand together.
func readable(chunk []byte) (text []byte, pure bool) {
	if isText(chunk) {
		return bytes.Clone(chunk), true
	}
	const shortest = 4 // bytes of a line between garbage: shorter ones are chance
	if bytes.IndexByte(chunk, '\n') < 0 {
		return nil, false
	}
	for line := range bytes.SplitSeq(chunk, []byte{'\n'}) {
		if line = bytes.TrimRight(line, "\r"); len(line) >= shortest && isText(line) {
			text = append(append(text, line...), '\n')
		}
	}
	return text, false
}

// isText tells text from a damaged frame: it has no control characters but those that text has.
func isText(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != '\x1b' || c == 0x7f {
			return false
		}
	}
	return len(b) > 0 && utf8.Valid(b)
}
