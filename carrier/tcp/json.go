package tcp

import (
	"bytes"
	"encoding/json"
	"fmt"

	"sighub/carrier"
)

// A jsonSplitter finds where each JSON value ends: by its quotes and brackets. It looks at each byte once, however the values
// were split, and remembers nothing but the nesting, so that a value of any size can be followed to its end. What stands between
// quotes and brackets may be anything: it is for others to refuse the value, and the next one begins behind it all the same.
type jsonSplitter struct {
	body
	state jsonState
	depth int

	arrays bool // may be frames, too
}

type jsonState byte

const (
	between  jsonState = iota // before a value
	inside                    // in an object or array
	inString                  // in a string, at the top or inside
	escaped                   // after a backslash in a string
	inScalar                  // in a number, true, false or null at the top
)

func newJSONSplitter(limit int) *jsonSplitter { return &jsonSplitter{body: body{limit: limit}} }

func (s *jsonSplitter) partial() bool { return s.state != between }

func (s *jsonSplitter) takeSignals() { s.arrays = true }

// sound reports whether a value's brackets fit each other.
func (s *jsonSplitter) sound(data []byte) bool {
	squares, depth := uint64(0), 0 // a bit for each open bracket
	for i := 0; i < len(data); i++ {
		switch b := data[i]; b {
		case '"':
			i = endOfText(data, i)
		case '{', '[':
			if depth++; depth > 64 {
				return false
			}
			if squares <<= 1; b == '[' {
				squares++
			}
		case '}', ']':
			if depth--; depth < 0 || (squares&1 == 1) != (b == ']') {
				return false
			}
			squares >>= 1
		}
	}
	return depth == 0
}

// endOfText returns where the quote is that ends the text that begins at data[i], or the end of the data.
func endOfText(data []byte, i int) int {
	for i++; i < len(data) && data[i] != '"'; i++ {
		if data[i] == '\\' {
			i++
		}
	}
	return i
}

func (s *jsonSplitter) next(data []byte) (rest []byte, f frame, ok bool) {
	start := 0 // of the value, in data
	for i, b := range data {
		if s.state == inString && !endsText[b] {
			continue
		}
		switch s.state {
		case between:
			if isSpace(b) {
				continue
			}
			start = i
			if !s.begin(b) {
				return s.lost(data[i:], fmt.Errorf("%w: a JSON value cannot begin with %q", carrier.ErrMalformed, b))
			}
			continue
		case inString, escaped:
			switch {
			case b == '\n' || b == '\r': // its quote is missing, which turns the sense of all that follow
				return s.lost(data[start:], fmt.Errorf("%w: a JSON string goes on in the next line", carrier.ErrMalformed))
			case s.state == escaped:
				s.state = inString
			case b == '\\':
				s.state = escaped
			case b == '"':
				s.state = inside
			}
		case inScalar:
			if !isSpace(b) && b != '{' && b != '[' {
				continue
			}
			return s.end(data, start, i)
		case inside:
			switch {
			case b == '"':
				s.state = inString
			case b == '{' || b == '[':
				s.open()
			case b == '}' || b == ']':
				s.depth--
			case b < 0x20 && !isSpace(b): // this is not text
				return s.lost(data[start:], fmt.Errorf("%w: %q cannot stand in JSON outside of a string", carrier.ErrMalformed, b))
			}
		}
		if s.state == inside && s.depth == 0 {
			return s.end(data, start, i+1)
		}
	}
	if s.state != between {
		s.add(data[start:])
	}
	return nil, frame{}, false
}

func (s *jsonSplitter) begin(b byte) bool {
	switch {
	case b == '{' || b == '[':
		s.state = inside
		s.open()
	case b == '"':
		s.state = inString
	case isScalar[b]:
		s.state = inScalar
	default:
		return false
	}
	return true
}

func (s *jsonSplitter) open() {
	if s.depth++; s.depth > carrier.MaxDepth+2 && s.bad == nil { // two maps, or a map and an array, are around a value
		s.skip(fmt.Errorf("%w: nested deeper than %d", carrier.ErrMalformed, carrier.MaxDepth))
	}
}

// end returns the value that ends before data[i].
func (s *jsonSplitter) end(data []byte, start, i int) ([]byte, frame, bool) {
	s.add(data[start:i])
	f := s.body.end()
	s.state, s.depth = between, 0
	if f.err == nil && f.data[0] != '{' && !(s.arrays && f.data[0] == '[') {
		f.err = fmt.Errorf("%w: a message is a JSON object, not %.20q", carrier.ErrMalformed, f.data)
		f.lost = f.data[0] != '[' && !json.Valid(f.data)
	}
	return data[i:], f, true
}

// lost returns a frame after which the stream cannot be read.
func (s *jsonSplitter) lost(data []byte, err error) ([]byte, frame, bool) {
	s.skip(err)
	s.add(data)
	f := s.body.end()
	f.err, f.lost = err, true
	return nil, f, true
}

// salvage goes by quotes and brackets only, so that a value that cannot be read does not hide what follows it.
func (s *jsonSplitter) salvage(head []byte) (g salvage) {
	if len(head) == 0 || head[0] != '{' {
		return g
	}
	for i := 1; i < len(head); {
		key, value := jsonEntry(head, i)
		if key == "" {
			return g
		}
		end := endOfValue(head, value)
		if raw := bytes.TrimSpace(head[value:end]); end < len(head) && json.Valid(raw) {
			g.add(key, carrier.RawValue(carrier.JSON, bytes.Clone(raw)))
		} else {
			g.add(key, carrier.Value{}) // it goes on behind the head, or a number may
		}
		i = end + 1
	}
	return g
}

// jsonEntry returns the key of the entry that begins at head[i] or later, and where its value begins. The key is empty if there is
// no entry.
func jsonEntry(head []byte, i int) (key string, value int) {
	for i < len(head) && isSpace(head[i]) {
		i++
	}
	end := i
	if i < len(head) && head[i] == '"' {
		end = endOfText(head, i)
	}
	if end >= len(head) || json.Unmarshal(head[i:end+1], &key) != nil {
		return "", 0
	}
	value = end + 1
	for value < len(head) && (isSpace(head[value]) || head[value] == ':') {
		value++
	}
	return key, value
}

// endOfValue returns where the comma or the bracket is that ends the value that begins at head[i], or the end of the head.
func endOfValue(head []byte, i int) int {
	depth := 0
	for ; i < len(head); i++ {
		switch head[i] {
		case '"':
			i = endOfText(head, i)
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return i
			}
		case ',':
			if depth == 0 {
				return i
			}
		}
	}
	return len(head)
}

func isSpace(b byte) bool { return b == ' ' || b == '\n' || b == '\r' || b == '\t' }

// endsText lists the bytes that mean something in a string, or may not stand there.
var endsText = [256]bool{'"': true, '\\': true, '\n': true, '\r': true}

// isScalar lists the bytes of which numbers, true, false and null are made.
var isScalar = func() (t [256]bool) {
	for _, b := range []byte("0123456789+-.eEtrufalsn") {
		t[b] = true
	}
	return t
}()
