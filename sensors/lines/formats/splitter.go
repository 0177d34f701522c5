package formats

import (
	"bytes"
	"time"
)

// DefaultMaxLine is how long a line may be, in bytes without its end.
const DefaultMaxLine = 4096

// An End says what ends a line.
type End string

// The ends of lines.
const (
	AnyEnd End = ""     // CR, LF or both
	LF     End = "\n"   //
	CR     End = "\r"   //
	CRLF   End = "\r\n" // as AnyEnd when it is read: half of it may be lost
)

// A Splitter makes lines of bytes as they arrive. The zero Splitter takes lines with any end, of up to [DefaultMaxLine] bytes.
type Splitter struct {
	Max int // bytes of a line; 0: DefaultMaxLine
	End End
	// Long is how many lines were longer. Such a line is skipped, up to the next one.
	Long uint64

	line     []byte
	at       time.Time // when the line's first byte came
	begun    bool
	skipping bool
	returned bool // the latest byte was a CR that ended a line
}

// Feed takes bytes that came at a time, and calls take with each line that is whole now, without its end, and with the time at which
// its first byte came. take must not keep the line. Empty lines are lines.
func (s *Splitter) Feed(data []byte, at time.Time, take func(line []byte, at time.Time)) {
	most := s.Max
	if most == 0 {
		most = DefaultMaxLine
	}
	ends := "\r\n"
	if s.End == LF || s.End == CR {
		ends = string(s.End)
	}
	for len(data) > 0 {
		if s.returned && data[0] == '\n' {
			data, s.returned = data[1:], false
			continue
		}
		s.returned = false
		if !s.begun {
			s.at, s.begun = at, true
		}
		end := bytes.IndexAny(data, ends)
		part := data
		if end >= 0 {
			part, data = data[:end], data[end:]
		} else {
			data = nil
		}
		if !s.skipping && len(s.line)+len(part) > most {
			s.skipping = true
			s.Long++
		}
		switch {
		case end < 0 && s.skipping:
			s.line = s.line[:0]
		case end < 0:
			s.line = append(s.line, part...)
		default:
			s.end(part, take)
			s.returned = data[0] == '\r' && len(ends) == 2
			data = data[1:]
		}
	}
}

// end ends a line with its last part.
func (s *Splitter) end(part []byte, take func(line []byte, at time.Time)) {
	line := part
	if len(s.line) > 0 {
		s.line = append(s.line, part...)
		line = s.line
	}
	if !s.skipping {
		take(line, s.at)
	}
	s.line, s.skipping, s.begun = s.line[:0], false, false
}

// Pending reports whether a line has begun that has not ended.
func (s *Splitter) Pending() bool { return s.begun }

// Reset forgets a line that has begun.
func (s *Splitter) Reset() {
	s.line, s.begun, s.skipping, s.returned = s.line[:0], false, false, false
}
