package serial

import (
	"bytes"
	"encoding/hex"
	"log/slog"
	"time"
	"unicode/utf8"

	"sighub/carrier/serial/internal/link"
)

// A listeningEnd is the hub's end of a line that also notes what arrives outside frames: without a zero it would be no chunk
// for long.
type listeningEnd struct {
	*link.HubEnd
	heard *overheard
}

// Receive implements endpoint.End.
func (e listeningEnd) Receive(now time.Time, data []byte) (more bool) {
	good := e.Stats.Frames
	more = e.HubEnd.Receive(now, data)
	if !e.heard.noteEchoes(now, e.Stats.Echoes) {
		// In a session frames arrive, of which this may be a part.
		e.heard.note(now, data, e.Stats.Frames > good || e.InSession())
	}
	return more
}

// overheard is what arrives at a port where no frames do. The server's lock guards it.
type overheard struct {
	port string
	log  *slog.Logger
	tail []byte // the latest bytes since the latest frame

	sample []byte // of text, in which its format may be seen

	text, noise           string // the latest of each, in a form that is harmless to print
	textSince, noiseSince time.Time
	textAt, noiseAt       time.Time
	lines                 bool // the text has lines, in UTF-8
	logged                bool // that there is text

	echoes              uint64 // of the hub's own frames, when they were last looked at
	echoSince, echoedAt time.Time
}

const (
	tailLength  = 256                    // bytes
	sampleSize  = 2048                   // bytes
	shownTail   = 16                     // bytes that are shown of noise
	shownLine   = 200                    // bytes that are shown of a line of text
	fewBytes    = 4                      // that are not told apart
	soonNoise   = 2 * time.Second        // that noise must last: a device that is in a session with a hub before this one goes on for a while
	soonText    = 300 * time.Millisecond // that text must last that has no lines in UTF-8: a part of such a device's frame may look like that
	stillOfText = 30 * time.Second       // that text is shown after it has arrived
)

// opened begins anew.
func (o *overheard) opened(echoes uint64) { *o = overheard{port: o.port, log: o.log, echoes: echoes} }

// understood forgets the bytes that are not frames, because frames arrive now.
func (o *overheard) understood() {
	*o = overheard{port: o.port, log: o.log, echoes: o.echoes, echoSince: o.echoSince, echoedAt: o.echoedAt}
}

// noteEchoes takes the number of the hub's own frames that have come back. It reports whether there are more.
func (o *overheard) noteEchoes(now time.Time, n uint64) (more bool) {
	if n == o.echoes {
		return false
	}
	o.echoes, o.echoedAt = n, now
	if o.echoSince.IsZero() {
		o.echoSince = now
		o.log.Warn("this line echoes what the hub sends", "port", o.port)
	}
	return true
}

// echo returns that the line echoes; nil if it has not done so lately.
func (o *overheard) echo(now time.Time) *Problem {
	if o.echoedAt.IsZero() || now.Sub(o.echoedAt) >= stillOfText {
		return nil
	}
	return &Problem{What: "this line echoes what the hub sends", Since: o.echoSince.UTC(),
		Remedy: "on two wires of RS-485 switch the receiver off while sending; else check that TX and RX are not connected to each other"}
}

func (o *overheard) note(now time.Time, data []byte, frames bool) {
	if frames {
		o.understood()
		return
	}
	o.tail = append(o.tail, data...)
	o.tail = append(o.tail[:0], o.tail[max(0, len(o.tail)-tailLength):]...)
	switch {
	case len(o.tail) < fewBytes:
	case looksLikeText(o.tail):
		o.sample = append(o.sample, data...)
		o.sample = append(o.sample[:0], o.sample[max(0, len(o.sample)-sampleSize):]...)
		if o.textAt = now; o.textSince.IsZero() {
			o.textSince = now
		}
		o.text = quote(lastLine(o.tail))
		if o.lines = o.lines || utf8.Valid(o.tail) && bytes.ContainsAny(o.tail, "\r\n"); o.isText(now) && !o.logged {
			o.logged = true
			o.log.Warn("text arrives instead of frames", "port", o.port, "text", o.text)
		}
	default:
		if o.noiseAt = now; o.noiseSince.IsZero() {
			o.noiseSince = now
		}
		o.noise = hex.EncodeToString(o.tail[max(0, len(o.tail)-shownTail):])
	}
}

// isText reports whether what looks like text is not part of a frame.
func (o *overheard) isText(now time.Time) bool {
	return o.lines || !o.textSince.IsZero() && now.Sub(o.textSince) >= soonText
}

// The words for text, by which [PortInfo.recognize] finds it.
const (
	textInstead = "text arrives instead of frames: "
	causeText   = "text"
)

// problem returns what is wrong with what arrives; nil if nothing is.
func (o *overheard) problem(now time.Time) *Problem {
	switch {
	case o.isText(now) && now.Sub(o.textAt) < stillOfText:
		return &Problem{What: textInstead + o.text, Since: o.textSince.UTC(), cause: causeText,
			Remedy: "give the device a program that uses sighub's library, or leave this port to the program that reads the text"}
	case !o.noiseAt.IsZero() && now.Sub(o.noiseAt) < stillOfText && now.Sub(o.noiseSince) >= soonNoise:
		return &Problem{What: "bytes arrive that are neither frames nor text: " + o.noise, Since: o.noiseSince.UTC(),
			Remedy: "check the baud, the wiring, and that the device runs a program that uses sighub's library"}
	}
	return nil
}

// looksLikeText reports whether bytes are a program's text, in UTF-8 or in an older code: at least three quarters of them can be
// printed in ASCII, or all are valid. Noise has a third of such bytes.
func looksLikeText(b []byte) bool {
	printable, control := 0, 0
	for _, c := range b {
		switch {
		case c >= ' ' && c < 0x7f || c == '\n' || c == '\r' || c == '\t' || c == 0x1b:
			printable++
		case c < ' ' || c == 0x7f:
			control++
		}
	}
	return printable*4 >= len(b)*3 || control == 0 && utf8.Valid(b)
}

// lastLine returns the latest whole line of a text, or the text's end if it has no whole line.
func lastLine(text []byte) string {
	lines := bytes.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' || r == 0 })
	if len(lines) == 0 {
		return ""
	}
	line := lines[len(lines)-1]
	if end := text[len(text)-1]; len(lines) > 1 && end != '\n' && end != '\r' && end != 0 {
		line = lines[len(lines)-2]
	}
	return string(line[max(0, len(line)-shownLine):])
}
