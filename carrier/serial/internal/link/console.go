package link

import (
	"bytes"
	"log/slog"
	"strconv"
	"time"
	"unicode/utf8"
)

const (
	consoleLine  = 200 // bytes of a line that are logged
	consoleBurst = 20  // lines at once
	consoleRate  = 10  // lines per second
)

// A console logs the text that a device prints between its frames, such as that of boot loaders. Lines that come faster than
// people read are counted instead.
type console struct {
	log     *slog.Logger
	port    string
	credit  float64   // lines that may be logged
	at      time.Time // of the latest line; zero is so long ago that there is credit for a burst
	skipped int
	latest  string    // line, quoted
	when    time.Time // of the latest line
}

func (c *console) write(now time.Time, text []byte) {
	for line := range bytes.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		c.line(now, line)
	}
}

// Printed returns the latest line of text that arrived between frames, quoted, and when that was.
func (l *HubEnd) Printed() (line string, at time.Time) { return l.text.latest, l.text.when }

func (c *console) line(now time.Time, line []byte) {
	quoted := strconv.Quote(string(line[:min(len(line), consoleLine)]))
	c.latest, c.when = quoted, now
	c.credit = min(consoleBurst, c.credit+now.Sub(c.at).Seconds()*consoleRate)
	c.at = now
	if c.credit < 1 {
		c.skipped++
		return
	}
	c.credit--
	args := []any{"port", c.port, "text", quoted[1 : len(quoted)-1]}
	if c.skipped > 0 {
		args = append(args, "skipped", c.skipped)
		c.skipped = 0
	}
	c.log.Info("device prints", args...)
}

// readable returns the lines of text in a chunk, and whether it is nothing else. Boot loaders print at rates of their own,
// so that text and garbage mix.
func readable(chunk []byte) (text []byte, pure bool) {
	if isText(chunk) {
		return bytes.Clone(chunk), true
	}
	const shortest = 4 // line between garbage; a shorter one is chance
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

// isText reports whether b is text, rather than a damaged frame.
func isText(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != '\x1b' || c == 0x7f {
			return false
		}
	}
	return len(b) > 0 && utf8.Valid(b)
}
