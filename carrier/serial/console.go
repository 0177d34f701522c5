package serial

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

// isText tells text from a damaged frame: it has no control characters but those that text has.
func isText(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != '\x1b' || c == 0x7f {
			return false
		}
	}
	return len(b) > 0 && utf8.Valid(b)
}
