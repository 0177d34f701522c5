package carrier

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// UnpackLine is UnpackTo for a line of JSON, which may hold one packet, several, or a part of one. It reports whether it is one; if not,
// nothing has changed, and where packets end has to be found in another way.
func (rs *InRoutes) UnpackLine(line []byte, s *Signal, p *SignalPacket) (whole bool, err error) {
	var buf [signalItems][]byte
	items, bad := itemsJSON(line, buf[:0])
	if whole = bad == nil && len(items) > 0; !whole {
		return false, nil
	}
	if err := rs.unpackItems(line, items, nil, s, p); err != nil {
		return true, malformedSignal(err)
	}
	return true, nil
}

func (rs *InRoutes) unpackJSON(data []byte, s *Signal, p *SignalPacket) error {
	var buf [signalItems][]byte
	items, bad := itemsJSON(data, buf[:0])
	if len(items) == 0 {
		return cmp.Or(bad, errItems)
	}
	return rs.unpackItems(data, items, bad, s, p)
}

// unpackItems unpacks an array. With bad, the items are those before the one that cannot be read.
func (rs *InRoutes) unpackItems(data []byte, items [][]byte, bad error, s *Signal, p *SignalPacket) error {
	first := items[0]
	if !utf8.Valid(first) {
		return errors.New("not UTF-8")
	}
	var err error
	n, numeric := simpleJSON(first)
	switch {
	case bad != nil && !followed(data, first): // it may be an answer
		return bad
	case len(items) == 1 && numeric && bad == nil:
		s.Route, p.Failed = nil, nil
		p.Done, err = doneCount(n)
		return err
	case first[0] == '-' && len(items) == 2 && bad == nil:
		return p.failedJSON(first, items[1], s)
	case len(items) == 1 && bad == nil:
		return errors.New("the count must be a number")
	case numeric:
		s.Route, err = rs.find(n)
	case first[0] == '[':
		err = rs.defineJSON(first, s)
	default:
		err = errors.New("the route must be a number or an array")
	}
	if err != nil {
		return err
	}
	s.clear()
	switch {
	case bad != nil && len(items) == 1:
		s.refuse(asRefusal(cmp.Or(CheckValue(JSON, afterComma(data, first)), bad)))
	case bad != nil:
		s.refuse(asRefusal(bad))
	default:
		s.Data = RawValue(JSON, items[1])
		if rs.second == nil && len(items) > 2 {
			rs.second = new(second) // most clients listen
		}
		s.restJSON(items[2:], rs.second)
	}
	return nil
}

// followed reports whether a comma follows the first item of an array.
func followed(data, first []byte) bool {
	rest := skipSpace(behind(data, first))
	return len(rest) > 0 && rest[0] == ','
}

// behind returns what follows the first item of an array.
func behind(data, first []byte) []byte {
	return skipSpace(skipSpace(data)[1:])[len(first):]
}

// afterComma returns what follows the comma behind the first item of an array.
func afterComma(data, first []byte) []byte { return skipSpace(skipSpace(behind(data, first))[1:]) }

// restJSON reads what follows the data.
func (s *Signal) restJSON(items [][]byte, at *second) {
	var err error
	if !utf8.Valid(s.Data.raw) {
		s.refuse(s.Data.Check("data"))
		return
	}
	if len(items) > 0 {
		if s.Time, err = at.time(items[0]); err != nil {
			s.refuse(err)
			return
		}
	}
	var n uint64
	ok := true
	if len(items) > 1 {
		n, ok = knownJSON(items[1])
		s.Uncertainty = int64(n)
	}
	if len(items) > 2 && ok {
		s.Seq, ok = knownJSON(items[2])
	}
	if len(items) > 3 && ok {
		s.Sequence, ok = knownJSON(items[3])
	}
	if len(items) > 4 && ok {
		n, ok = knownJSON(items[4])
		s.Last, ok = n == 1, ok && n <= 1
	}
	if !ok || s.Uncertainty < 0 {
		s.refuse(errNumbers)
	}
}

// knownJSON reads a number. null and 0 stand for an unknown one.
func knownJSON(raw []byte) (n uint64, ok bool) {
	if string(raw) == "null" {
		return 0, true
	}
	return simpleJSON(raw)
}

func (p *SignalPacket) failedJSON(status, exception []byte, s *Signal) error {
	n, err := strconv.ParseInt(string(status), 10, 32)
	if err != nil || n >= 0 {
		return errors.New("the status must be a negative integer")
	}
	r := &Reply{Status: Status(n)}
	s.Route, p.Done, p.Failed = nil, 0, r
	if string(exception) == "null" {
		return nil
	}
	return textJSON(exception, &r.Exception)
}

// itemsJSON appends the items of an array to items, whose capacity is how many there may be. With an error, it returns those
// before the one that cannot be read.
func itemsJSON(data []byte, items [][]byte) ([][]byte, error) {
	data = skipSpace(data)
	if len(data) == 0 || data[0] != '[' {
		return nil, errors.New("not an array")
	}
	data = skipSpace(data[1:])
	for more := len(data) == 0 || data[0] != ']'; more; {
		rest, err := jsonCodec{}.skip(data, MaxDepth)
		if err != nil {
			return items, err
		}
		if len(items) == cap(items) {
			return items, fmt.Errorf("an array of more than %d items", cap(items))
		}
		items = append(items, data[:len(data)-len(rest):len(data)-len(rest)])
		if data, more, err = skipJSONComma(rest, ']'); err != nil {
			return items, err
		}
	}
	if len(items) == 0 {
		data = data[1:]
	}
	return items, atEnd(skipSpace(data))
}

func (rs *InRoutes) defineJSON(data []byte, s *Signal) error {
	var buf [routeItems][]byte
	items, err := itemsJSON(data, buf[:0])
	if err != nil {
		return err
	}
	if len(items) < 3 {
		return fmt.Errorf("a route must have 3 to %d items", routeItems)
	}
	r := new(Route)
	n, ok := simpleJSON(items[0])
	ok = ok && textJSON(items[1], &r.Sender) == nil && textJSON(items[2], &r.Event) == nil
	for i := 3; i < len(items) && ok; i++ {
		var value uint64
		if value, ok = simpleJSON(items[i]); ok {
			ok = r.set(uint64(i), value)
		}
	}
	if !ok {
		return errors.New("a route must be [number, sender, event, listener_id, connection, epoch]")
	}
	s.Route = r
	return rs.define(n, r)
}

func timeJSON(raw []byte) (int64, error) {
	if string(raw) == "null" || string(raw) == "0" {
		return 0, nil
	}
	if t, ok := usualTime(raw); ok && Tellable(t) {
		return t.UnixNano(), nil
	}
	t, err := ReadTime(RawValue(JSON, raw))
	if err != nil || t.IsZero() {
		return 0, err
	}
	return t.UnixNano(), nil
}
