package tcp

import (
	"bytes"
	"encoding/json"
	"fmt"

	"sighub/carrier"
)

// A jsonSplitter finds where each JSON value ends. It looks at each byte once, however the values were split,
// and remembers nothing but the nesting, so that a value of any size can be followed to its end. It does
// not check that a value is valid, except for what it notices in passing.
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

func (s *jsonSplitter) sound(data []byte) bool { return json.Valid(data) }

func (s *jsonSplitter) next(data []byte) (rest []byte, f frame, ok bool) {
	start := 0 // of the value, in data
	for i, b := range data {
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
		case inString:
			switch {
			case b == '\\':
				s.state = escaped
			case b == '"':
				s.state = inside
			case b < 0x20:
				return s.lost(data[start:], fmt.Errorf("%w: control character %q in a JSON string", carrier.ErrMalformed, b))
			}
		case escaped:
			s.state = inString
		case inScalar:
			if isScalar[b] {
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
			case !isScalar[b] && !isSpace(b) && b != ',' && b != ':':
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
	most := carrier.MaxDepth
	if s.arrays {
		most++ // a signal's packet is an array around its data
	}
	if s.depth++; s.depth > most {
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
		f.lost = !json.Valid(f.data)
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

func (s *jsonSplitter) salvage(head []byte) (g salvage) {
	dec := json.NewDecoder(bytes.NewReader(head))
	if t, _ := dec.Token(); t != json.Delim('{') {
		return g
	}
	for {
		t, err := dec.Token()
		key, ok := t.(string)
		if err != nil || !ok {
			return g
		}
		var raw json.RawMessage
		if err = dec.Decode(&raw); err != nil || dec.InputOffset() == int64(len(head)) {
			g.add(key, carrier.Value{}) // the value goes on behind the head, or a number may
			return g
		}
		g.add(key, carrier.RawValue(carrier.JSON, raw))
	}
}

func isSpace(b byte) bool { return b == ' ' || b == '\n' || b == '\r' || b == '\t' }

// isScalar lists the bytes of which numbers, true, false and null are made.
var isScalar = func() (t [256]bool) {
	for _, b := range []byte("0123456789+-.eEtrufalsn") {
		t[b] = true
	}
	return t
}()
