package carrier

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// On the wire, the packets of a stream of signals are arrays, in CBOR and JSON alike. Messages and replies are maps, so
// that each is told from the other by its first byte.
//
//	[route, data, time, uncertainty, seq, sequence, last]    a signal; what is 0 at the end is left out
//	[n]                                                      the next n signals are done
//	[status, exception]                                      the next signal is not done; the status is negative
//
// A route is its number, from 0 to MaxRoutes-1; or to give a number a meaning, and use it, [number, sender, event] on the
// way to the hub and [number, sender, event, listener_id, connection, epoch] from there, without zeros at the end. Numbers
// that are new come in order: 0, 1, 2 and so on. Times are nanoseconds since 1970 in CBOR and RFC 3339 texts in JSON, null or
// 0 if unknown. last is 1 if the signal is a last value, else 0.

// The largest numbers of items.
const (
	signalItems = 7
	routeItems  = 6
)

// A PackedSignal is a packed signal without its route: the part that is the same for all listeners.
type PackedSignal struct {
	codec Codec
	items int
	tail  []byte
	err   error

	// What a carrier needs that packs signals in a way of its own.
	dataStart, dataEnd int // in tail
	parts              Signal
	second             second // of the latest signal with a time, in JSON

	// Extra is for the carrier's own use, which may keep there what it has made of the signal for one client, for the next one. It is
	// empty after Pack.
	Extra []byte
}

// Parts returns what the signal says: its data, as it is packed, and the rest, without a route. The bytes of the data are those of p, and
// change with it.
func (p *PackedSignal) Parts() (s *Signal, data []byte) {
	return &p.parts, p.tail[p.dataStart:p.dataEnd]
}

// Is reports whether p holds a signal in this codec.
func (p *PackedSignal) Is(c Codec) bool { return sameCodec(p.codec, c) }

// Reset empties p and keeps its memory.
func (p *PackedSignal) Reset() { p.codec = nil }

// Pack packs a signal. It reuses the memory of the signal that p held before.
func (p *PackedSignal) Pack(c Codec, s *Signal) error {
	b, items, json := p.tail[:0], 2, isJSON(c)
	b = comma(b, json)
	start := len(b)
	b, err := s.Data.appendTo(b, c)
	if err == nil {
		err = check(c, s, b[start:])
	}
	p.dataStart, p.dataEnd, p.Extra = start, len(b), p.Extra[:0]
	p.parts.Time, p.parts.Uncertainty, p.parts.Seq, p.parts.Sequence, p.parts.Last = s.Time, s.Uncertainty, s.Seq, s.Sequence, s.Last
	switch {
	case s.Last:
		items = 7
	case s.Sequence > 0:
		items = 6
	case s.Seq > 0:
		items = 5
	case s.Uncertainty > 0:
		items = 4
	case s.Time != 0:
		items = 3
	}
	if items >= 3 {
		b = p.appendTime(comma(b, json), json, s.Time)
	}
	if items >= 4 {
		b = appendUint(comma(b, json), json, uint64(s.Uncertainty))
	}
	if items >= 5 {
		b = appendUint(comma(b, json), json, s.Seq)
	}
	if items >= 6 {
		b = appendUint(comma(b, json), json, s.Sequence)
	}
	if items >= 7 {
		b = appendUint(comma(b, json), json, 1)
	}
	p.codec, p.items, p.tail, p.err = c, items, b, err
	return err
}

// check refuses what the other end would refuse: a time out of range, or a value that is nested too deeply. A value that
// came encoded was checked when it arrived.
func check(c Codec, s *Signal, data []byte) error {
	if s.Time < 0 || s.Time > maxTime {
		return fmt.Errorf("%w: the time must be from 1970 to 2261", ErrTime)
	}
	if s.Uncertainty < 0 {
		return fmt.Errorf("%w: the uncertainty must not be negative: %d ns", ErrMalformed, s.Uncertainty)
	}
	if sameCodec(s.Data.codec, c) {
		return nil
	}
	return CheckValue(c, data)
}

// maxTime is the end of 2261: nanoseconds of 64 bits hold little more.
const maxTime = 9214646399999999999

// AppendTo appends the packet of the signal on a route of a connection. The caller then sends it or, if the route was
// not known before, calls Undo.
func (p *PackedSignal) AppendTo(dst []byte, rs *Routes, r *OutRoute) []byte {
	n, known := rs.number(r)
	json := isJSON(p.codec)
	dst = beginArray(dst, json, p.items)
	if known {
		dst = appendUint(dst, json, n)
	} else {
		dst = appendRoute(dst, json, n, &r.Route)
	}
	return endArray(append(dst, p.tail...), json)
}

// Known reports whether the peer knows the route's number.
func (r *OutRoute) Known() bool { return r.known }

// SizeOn returns the size in bytes of the packet of the signal, in CBOR, on a route that the peer knows.
func (p *PackedSignal) SizeOn(r *OutRoute) int { return 1 + CBORHeadSize(r.number) + len(p.tail) }

func appendRoute(dst []byte, json bool, n uint64, r *Route) []byte {
	items := 3
	switch {
	case r.Epoch > 0:
		items = 6
	case r.Connection > 0:
		items = 5
	case r.Listener > 0:
		items = 4
	}
	dst = appendUint(beginArray(dst, json, items), json, n)
	dst = appendText(comma(dst, json), json, r.Sender)
	dst = appendText(comma(dst, json), json, r.Event)
	rest := [...]uint64{r.Listener, r.Connection, uint64(r.Epoch)}
	for _, n := range rest[:items-3] {
		dst = appendUint(comma(dst, json), json, n)
	}
	return endArray(dst, json)
}

func isJSON(c Codec) bool {
	_, ok := c.(jsonCodec)
	return ok
}

func beginArray(dst []byte, json bool, items int) []byte {
	if json {
		return append(dst, '[')
	}
	return AppendCBORHead(dst, CBORArray, uint64(items))
}

func endArray(dst []byte, json bool) []byte {
	if json {
		return append(dst, ']')
	}
	return dst
}

// comma appends what separates items.
func comma(dst []byte, json bool) []byte {
	if json {
		return append(dst, ',')
	}
	return dst
}

func appendInt(dst []byte, json bool, n int64) []byte {
	switch {
	case json:
		return strconv.AppendInt(dst, n, 10)
	case n < 0:
		return AppendCBORHead(dst, CBORNegative, uint64(-1-n))
	default:
		return AppendCBORHead(dst, CBORUnsigned, uint64(n))
	}
}

func appendUint(dst []byte, json bool, n uint64) []byte {
	if json {
		return strconv.AppendUint(dst, n, 10)
	}
	return AppendCBORHead(dst, CBORUnsigned, n)
}

func appendText(dst []byte, json bool, text string) []byte {
	if json {
		return appendJSONText(dst, text)
	}
	return appendCBORText(dst, text)
}

func (p *PackedSignal) appendTime(dst []byte, json bool, ns int64) []byte {
	if json && ns != 0 {
		return p.second.append(dst, ns)
	}
	return appendUint(dst, json, uint64(ns))
}

// AppendDone appends the packet that answers n signals as done, in JSON or CBOR.
func AppendDone(dst []byte, json bool, n int) []byte {
	return endArray(appendUint(beginArray(dst, json, 1), json, uint64(n)), json)
}

// AppendFailed appends the packet that answers a signal that is not done, in JSON or CBOR.
func AppendFailed(dst []byte, json bool, r *Reply) []byte {
	dst = appendInt(beginArray(dst, json, 2), json, int64(r.Status))
	return endArray(appendText(comma(dst, json), json, r.Exception), json)
}

// IsSignals reports whether a packet that begins with this byte belongs to a stream of signals.
func IsSignals(c Codec, first byte) bool {
	if isJSON(c) {
		return first == '['
	}
	return first>>5 == CBORArray
}

// InRoutes are the routes of a connection's receiving end, by their numbers. The zero InRoutes is ready for use.
type InRoutes struct {
	slots []*Route
	size  int // of all, in bytes

	second *second // of the latest time that was read; nil: there was none
}

// Size returns how many bytes the routes take.
func (rs *InRoutes) Size() int { return rs.size }

// size returns how many bytes a route takes.
func (r *Route) size() int {
	const around = 96 // the Route, its place among others, and what is lost between its texts
	return around + len(r.Sender) + len(r.Event)
}

// A SignalPacket is one packet of a stream of signals: a signal or, if the Route of Signal is nil, an answer to signals.
type SignalPacket struct {
	Signal Signal
	Done   int    // how many signals are done
	Failed *Reply // the next signal is not done
}

// Unpack reads a packet. The signal's data is part of the packet's bytes. An error wraps [ErrMalformed]; what later packets mean
// is then unknown. A signal that cannot be taken, of a known route, is no such error: see Signal.Err.
func (rs *InRoutes) Unpack(c Codec, data []byte, p *SignalPacket) error {
	return rs.UnpackTo(c, data, &p.Signal, p)
}

// UnpackTo is Unpack for a signal that is to stand elsewhere than in p, which it need not be copied from then.
func (rs *InRoutes) UnpackTo(c Codec, data []byte, s *Signal, p *SignalPacket) error {
	var err error
	if isJSON(c) {
		err = rs.unpackJSON(data, s, p)
	} else {
		err = rs.unpackCBOR(c, data, s, p)
	}
	if err != nil {
		return malformedSignal(err)
	}
	return nil
}

func malformedSignal(err error) error {
	return fmt.Errorf("%w: in a stream of signals: %w", ErrMalformed, err)
}

func (rs *InRoutes) unpackCBOR(c Codec, data []byte, s *Signal, p *SignalPacket) error {
	var major byte
	var items, n uint64
	var rest []byte
	var err error
	if shortHead(data) {
		major, items, rest = data[0]>>5, uint64(data[0]&31), data[1:]
	} else {
		major, items, rest, err = CBORHead(data)
	}
	switch {
	case err != nil:
		return err
	case major != CBORArray || items < 1 || items > signalItems:
		return errItems
	}
	if shortHead(rest) {
		major, n, rest = rest[0]>>5, uint64(rest[0]&31), rest[1:]
	} else {
		major, n, rest, err = CBORHead(rest)
	}
	switch {
	case err != nil:
		return err
	case major == CBORUnsigned && items == 1:
		s.Route = nil
		p.Failed = nil
		if p.Done, err = doneCount(n); err != nil {
			return err
		}
		return atEnd(rest)
	case major == CBORNegative && items == 2 && n < 1<<31:
		reply := &Reply{Status: Status(-1 - int64(n))}
		if rest, err = textCBOR(rest, &reply.Exception); err != nil {
			return err
		}
		s.Route, p.Done, p.Failed = nil, 0, reply
		return atEnd(rest)
	case items == 1:
		return errors.New("the count must be a number")
	case major == CBORUnsigned:
		if s.Route, err = rs.find(n); err != nil {
			return err
		}
	case major == CBORArray && n >= 3 && n <= routeItems:
		if rest, err = rs.defineCBOR(rest, n, s); err != nil {
			return err
		}
	default:
		return errors.New("the route must be a number or an array")
	}
	s.restCBOR(c, items, rest)
	return nil
}

// restCBOR reads data, and as many of the other items as the packet has.
func (s *Signal) restCBOR(c Codec, items uint64, rest []byte) {
	s.clear()
	size := plainSize(rest)
	if size == 0 {
		after, err := SkipCBOR(rest)
		if err != nil {
			s.refuse(asRefusal(cmp.Or(RawValue(c, rest).Check("data"), err)))
			return
		}
		size = len(rest) - len(after)
	}
	s.Data.setRaw(c, rest[:size:size])
	rest = rest[size:]
	for i := uint64(2); i < items; i++ {
		var major byte
		var n uint64
		var err error
		if shortHead(rest) {
			major, n, rest = rest[0]>>5, uint64(rest[0]&31), rest[1:]
		} else if major, n, rest, err = CBORHead(rest); err != nil {
			s.refuse(malformed(err))
			return
		}
		switch {
		case major == CBORSimple && n == 22: // null
		case i == 2 && n <= maxTime && major == CBORUnsigned:
			s.Time = int64(n)
		case i == 2:
			s.refuse(fmt.Errorf("%w: the time in a stream must be nanoseconds since 1970", ErrTime))
			return
		case i == 3 && n < 1<<63 && major == CBORUnsigned:
			s.Uncertainty = int64(n)
		case i == 4 && major == CBORUnsigned && n != CBORIndefinite:
			s.Seq = n
		case i == 5 && major == CBORUnsigned && n != CBORIndefinite:
			s.Sequence = n
		case i == 6 && major == CBORUnsigned && n <= 1:
			s.Last = n == 1
		default:
			s.refuse(errNumbers)
			return
		}
	}
	if err := atEnd(rest); err != nil {
		s.refuse(malformed(err))
	}
}

var (
	errItems   = fmt.Errorf("must be an array of 1 to %d items", signalItems)
	errNumbers = fmt.Errorf("%w: uncertainty, seq and sequence must be unsigned integers, and last 0 or 1", ErrMalformed)
)

func atEnd(rest []byte) error {
	if len(rest) > 0 {
		return errors.New("bytes follow the packet")
	}
	return nil
}

func (rs *InRoutes) defineCBOR(rest []byte, items uint64, s *Signal) ([]byte, error) {
	r := new(Route)
	major, number, rest, err := CBORHead(rest)
	if err == nil && major != CBORUnsigned {
		err = errors.New("the route number must be an unsigned integer")
	}
	if err == nil {
		rest, err = textCBOR(rest, &r.Sender)
	}
	if err == nil {
		rest, err = textCBOR(rest, &r.Event)
	}
	for i := uint64(3); i < items && err == nil; i++ {
		var n uint64
		if major, n, rest, err = CBORHead(rest); err == nil && (major != CBORUnsigned || n == CBORIndefinite || !r.set(i, n)) {
			err = errors.New("the listener id, the connection and the epoch must be unsigned integers")
		}
	}
	if err != nil {
		return nil, err
	}
	s.Route = r
	return rest, rs.define(number, r)
}

// set sets what an item of the route's definition says, unless that is out of range.
func (r *Route) set(item, n uint64) bool {
	switch item {
	case 3:
		r.Listener = n
	case 4:
		r.Connection = n
	default:
		r.Epoch = uint32(n)
		return n <= math.MaxUint32
	}
	return true
}

// maxRouteName bounds the names of senders and events, in bytes, as a hub does.
const maxRouteName = 255

func textCBOR(data []byte, text *string) ([]byte, error) {
	major, n, rest, err := CBORHead(data)
	switch {
	case err != nil:
		return nil, err
	case major != CBORString || n == CBORIndefinite:
		return nil, errors.New("must be a text")
	}
	after, err := SkipCBOR(data)
	if err != nil {
		return nil, err
	}
	*text = string(rest[:n])
	return after, nil
}

func (rs *InRoutes) find(n uint64) (*Route, error) {
	if n >= uint64(len(rs.slots)) {
		return nil, fmt.Errorf("route %d is not defined", n)
	}
	return rs.slots[n], nil
}

func (rs *InRoutes) define(n uint64, r *Route) error {
	switch {
	case len(r.Sender) > maxRouteName || len(r.Event) > maxRouteName:
		return fmt.Errorf("a name must have at most %d bytes", maxRouteName)
	case n < uint64(len(rs.slots)):
		rs.size -= rs.slots[n].size()
		rs.slots[n] = r
	case n == uint64(len(rs.slots)) && n < MaxRoutes:
		rs.slots = append(rs.slots, r)
	default:
		return fmt.Errorf("route %d: new numbers must come in order, from 0 to %d", n, MaxRoutes-1)
	}
	rs.size += r.size()
	return nil
}

func doneCount(n uint64) (int, error) {
	if n < 1 || n >= 1<<31 { // an int may have 32 bits
		return 0, errors.New("the count must be from 1 to 2^31-1")
	}
	return int(n), nil
}
