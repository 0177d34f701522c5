package carrier

import (
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

func (rs *InRoutes) unpackJSON(data []byte, p *SignalPacket) error {
	if !utf8.Valid(data) { // its values go on to others undecoded
		return errors.New("not UTF-8")
	}
	var buf [5][]byte
	items, err := itemsJSON(data, MaxDepth, buf[:0])
	if err != nil {
		return err
	}
	if len(items) == 0 {
		return errors.New("must be an array of 1 to 5 items")
	}
	first := items[0]
	n, numeric := simpleJSON(first)
	switch {
	case len(items) == 1 && numeric:
		p.Signal.Route, p.Failed = nil, nil
		p.Done, err = doneCount(n)
		return err
	case len(items) == 2 && first[0] == '-':
		return p.failedJSON(first, items[1])
	case len(items) == 1:
		return errors.New("the count must be a number")
	case numeric:
		p.Signal.Route, err = rs.find(n)
	case first[0] == '[':
		err = rs.defineJSON(first, p)
	default:
		err = errors.New("the route must be a number or an array")
	}
	if err != nil {
		return err
	}
	s := &p.Signal
	s.Data = RawValue(JSON, items[1])
	s.Time, s.Uncertainty, s.Seq = 0, 0, 0
	if len(items) > 2 {
		if s.Time, err = timeJSON(items[2]); err != nil {
			return err
		}
	}
	ok := true
	if len(items) > 3 {
		n, ok = knownJSON(items[3])
		s.Uncertainty = int64(n)
	}
	if len(items) > 4 && ok {
		s.Seq, ok = knownJSON(items[4])
	}
	if !ok || s.Uncertainty < 0 {
		return errors.New("uncertainty and seq must be unsigned integers")
	}
	return nil
}

// knownJSON reads a number. null and 0 stand for an unknown one.
func knownJSON(raw []byte) (n uint64, ok bool) {
	if string(raw) == "null" {
		return 0, true
	}
	return simpleJSON(raw)
}

func (p *SignalPacket) failedJSON(status, exception []byte) error {
	n, err := strconv.ParseInt(string(status), 10, 32)
	if err != nil || n >= 0 {
		return errors.New("the status must be a negative integer")
	}
	r := &Reply{Status: Status(n)}
	p.Signal.Route, p.Done, p.Failed = nil, 0, r
	if string(exception) == "null" {
		return nil
	}
	return textJSON(exception, &r.Exception)
}

// itemsJSON appends the items of an array to items, whose capacity is how many there may be. No item may be nested deeper
// than depth.
func itemsJSON(data []byte, depth int, items [][]byte) ([][]byte, error) {
	data = skipSpace(data)
	if len(data) == 0 || data[0] != '[' {
		return nil, errors.New("not an array")
	}
	data = skipSpace(data[1:])
	for more := len(data) == 0 || data[0] != ']'; more; {
		rest, err := skipJSON(data, depth)
		if err != nil {
			return nil, err
		}
		if len(items) == cap(items) {
			return nil, fmt.Errorf("an array of more than %d items", cap(items))
		}
		items = append(items, data[:len(data)-len(rest):len(data)-len(rest)])
		if data, more, err = skipJSONComma(rest, ']'); err != nil {
			return nil, err
		}
	}
	if len(items) == 0 {
		data = data[1:]
	}
	return items, atEnd(skipSpace(data))
}

func (rs *InRoutes) defineJSON(data []byte, p *SignalPacket) error {
	var buf [4][]byte
	items, err := itemsJSON(data, 1, buf[:0])
	if err != nil {
		return err
	}
	if len(items) < 3 {
		return errors.New("a route must have 3 or 4 items")
	}
	r := new(Route)
	n, ok := simpleJSON(items[0])
	ok = ok && textJSON(items[1], &r.Sender) == nil && textJSON(items[2], &r.Event) == nil
	if len(items) == 4 && ok {
		r.Listener, ok = simpleJSON(items[3])
	}
	if !ok {
		return errors.New("a route must be [number, sender, event, listener_id]")
	}
	p.Signal.Route = r
	return rs.define(n, r)
}

func timeJSON(raw []byte) (int64, error) {
	if string(raw) == "null" || string(raw) == "0" {
		return 0, nil
	}
	if raw[0] != '"' {
		return 0, errors.New("the time must be a text")
	}
	plain, ok := plainJSON(raw)
	if !ok {
		var text string
		if err := textJSON(raw, &text); err != nil {
			return 0, err
		}
		plain = []byte(text)
	}
	t, err := time.Parse(time.RFC3339Nano, string(plain))
	if y := t.UTC().Year(); err != nil || y < 1970 || y > 2261 { // 64 bits of nanoseconds hold no more
		return 0, fmt.Errorf("%s must be an RFC 3339 time from 1970 to 2261", raw)
	}
	return t.UnixNano(), nil
}
