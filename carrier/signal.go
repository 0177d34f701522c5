package carrier

import "sync/atomic"

// A Signal is an event on its way: what a message "signal" says. Carriers whose peers agree to it move signals as a
// stream of their own, without an id for each: they are answered in order, many at a time.
type Signal struct {
	Route *Route

	Time        int64  // nanoseconds since the Unix epoch; 0: not told
	Uncertainty int64  // nanoseconds that Time may be off
	Seq         uint64 // 0: not told
	Data        Value
}

// A Route is what does not change from one signal to the next. It travels with the first of them on a connection, and
// is a number after that.
type Route struct {
	Listener uint64 // whom it is for, by the number that the hub gave the listener; 0 on the way to the hub
	Sender   string
	Event    string

	// Handle is for the receiving handler's own use. A carrier leaves it alone.
	Handle any
}

// An OutRoute is a Route as the sending end of a connection has it. Its owner makes one for each route and passes it
// again and again; it may be used on one connection alone.
type OutRoute struct {
	Route
	number uint64
	known  bool // to the peer, under that number
}

// MaxRoutes is how many routes a connection has in each direction. A number beyond is malformed; one that is used
// again means another route from there on.
const MaxRoutes = 1024

// Routes gives numbers to the routes of a connection's sending end. The zero Routes is ready for use.
type Routes struct {
	slots []*OutRoute
	next  int  // slot to be used again, once there are MaxRoutes
	added bool // the latest number given is one that was never used
}

// number returns the route's number, and whether the peer knows it already. From here on it does.
func (rs *Routes) number(r *OutRoute) (n uint64, known bool) {
	if r.known {
		return r.number, true
	}
	r.known, rs.added = true, false
	if r.number < uint64(len(rs.slots)) && rs.slots[r.number] == r { // it was told in vain
		return r.number, false
	}
	if rs.added = len(rs.slots) < MaxRoutes; rs.added {
		r.number = uint64(len(rs.slots))
		rs.slots = append(rs.slots, r)
	} else {
		r.number = uint64(rs.next)
		rs.slots[rs.next].known = false
		rs.slots[rs.next] = r
		rs.next = (rs.next + 1) % MaxRoutes
	}
	return r.number, false
}

// Undo takes back the latest packet that told of a route: it is not sent. Numbers go up by one for the peer, so one that
// was never used is free again.
func (rs *Routes) Undo(r *OutRoute) {
	r.known = false
	if rs.added {
		rs.slots, rs.added = rs.slots[:len(rs.slots)-1], false
	}
}

// A SignalSink takes the signals towards one client. It is safe for use by several goroutines; the signals of each
// arrive in the order in which they were put.
type SignalSink interface {
	// Window is how many signals the client takes unanswered.
	Window() int

	// Account lets the sink keep in total how many bytes of signals wait to be written or are being written, about,
	// beside those of others. It is called once, before anything is put.
	Account(total *atomic.Int64)

	// Put queues a signal, packed in the client's codec, and returns how many bytes of signals wait to be written. It does
	// not wait, and what was put may wait itself until Flush. Whoever puts keeps to the window, and puts nothing while
	// PendingLimit bytes wait: they are fewer when the client has answered. An error means that the signal was not put:
	// [ErrTooLarge], or [ErrGone].
	Put(r *OutRoute, p *PackedSignal) (pending int, err error)

	// Pending returns how many bytes of signals wait to be written.
	Pending() int

	// Flush sees to it that what was put is written: if now is true at once, as far as the medium takes it, else as
	// soon as it does. It does not wait.
	Flush(now bool)
}

// PendingLimit is how many bytes of signals wait to be written to one client at the most, about.
const PendingLimit = 256 << 10

// Answers takes the answers to signals that arrived, in their order. It is safe for use by several goroutines. They may
// come after the client has gone, too: one that keeps its signals until they are answered hears it when it is back.
type Answers interface {
	// Done answers the next n signals: they are done.
	Done(n int)
	// Fail answers the next signal: it is not. The reply's status is not [StatusDone].
	Fail(r Reply)
}

// A SignalHandler is a Handler that takes signals as a stream. A carrier offers that to its clients only if its handler
// is one; else signals arrive as messages.
type SignalHandler interface {
	Handler

	// HandleSignals handles signals of a client that arrived together; it is one of the calls that never overlap. They
	// are answered through answers, all of them and in order, before or after HandleSignals returns. The signals, and
	// the bytes of their data, are the carrier's again when it returns: [CloneSignals] keeps them.
	HandleSignals(id ClientID, signals []Signal, answers Answers)

	// SignalsAnswered tells that the client has answered the next n signals: they are done, or if failed is not nil,
	// in which case n is 1, it is not. A client that answers what was not written to it yet is disconnected instead. It is
	// one of the calls that never overlap.
	SignalsAnswered(id ClientID, n int, failed *Reply)
}

// CloneSignals appends copies to dst whose data is nobody else's.
func CloneSignals(dst, signals []Signal) []Signal {
	size := 0
	for i := range signals {
		size += len(signals[i].Data.raw)
	}
	first, bytes := len(dst), make([]byte, 0, size)
	dst = append(dst, signals...)
	for i := range dst[first:] {
		v := &dst[first+i].Data
		start := len(bytes)
		bytes = append(bytes, v.raw...)
		v.raw = bytes[start:len(bytes):len(bytes)]
	}
	return dst
}

// Clone returns the value with bytes of its own.
func (v Value) Clone() Value {
	if v.raw != nil {
		v.raw = append([]byte(nil), v.raw...)
	}
	return v
}

// Encoding returns the codec in which the value came; nil for a Go value, which was not encoded yet.
func (v Value) Encoding() Codec { return v.codec }
