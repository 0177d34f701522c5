package carrier

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Signal is an event on its way, with the content of a message "signal". Where both peers agree, signals travel in a
// stream of their own. They have no ids, and are answered in order, many at a time.
type Signal struct {
	Route *Route

	Time        int64  // nanoseconds since the Unix epoch; 0: unknown
	Uncertainty int64  // nanoseconds that Time may be off
	Seq         uint64 // 0: unknown
	Sequence    uint64 // its place in the hub's journal, in the epoch of the route; 0: it is told before it has one
	Last        bool   // the last event of its kind, told because the listener asked for it
	Data        Value

	// Err says why a signal that arrived cannot be taken, such as a time that makes no sense. The handler answers the signal
	// with it. The stream goes on.
	Err error
}

// CheckData returns an error unless the data can be passed on: see [Value.Check].
func (s *Signal) CheckData() error {
	if plainCBOR(s.Data.codec, s.Data.raw) { // without a copy of the Value
		return nil
	}
	return s.Data.Check("data")
}

// refuse makes a signal one that cannot be taken.
func (s *Signal) refuse(err error) {
	s.clear()
	s.Data, s.Err = Value{}, err
}

// clear forgets everything but the route and the data.
func (s *Signal) clear() {
	s.Time, s.Uncertainty, s.Seq, s.Sequence, s.Last, s.Err = 0, 0, 0, 0, false, nil
}

// asRefusal makes err wrap a [RefusalError], if it does not yet.
func asRefusal(err error) error {
	if _, ok := errors.AsType[*RefusalError](err); ok {
		return err
	}
	return malformed(err)
}

// A Route is what signals of one event have in common. It travels with the first of them on a connection; after that a
// number stands for it.
type Route struct {
	Listener uint64 // whom it is for, by the number that the hub gave the listener; 0 on the way to the hub
	Sender   string
	Event    string

	Connection uint64 // how often the sender had connected; 0: unknown
	Epoch      uint32 // of the signals' places in the hub's journal; 0: they have none

	// Handle is for the receiving handler's own use. It is nil at first, and a carrier leaves it alone: it stays for as
	// long as the route keeps its number.
	Handle any
}

// An OutRoute is a Route as the sending end of a connection has it. Its owner makes one for each route, passes the same
// one each time, and uses it on one connection only.
type OutRoute struct {
	Route
	number uint64
	known  bool // to the peer, under that number
}

// Renew gives the route a connection and an epoch. If these are others than before, the peer is told the route again.
func (r *OutRoute) Renew(connection uint64, epoch uint32) {
	if r.Connection != connection || r.Epoch != epoch {
		r.Connection, r.Epoch, r.known = connection, epoch, false
	}
}

// MaxRoutes is how many routes a connection has in each direction. A larger number is malformed. A number that is defined
// again stands for another route from then on.
const MaxRoutes = 1024

// Routes gives numbers to the routes of a connection's sending end. The zero Routes is ready for use.
type Routes struct {
	slots []*OutRoute
	next  int  // slot to be used again, once there are MaxRoutes
	added bool // the latest number given is one that was never used
}

// number returns the route's number, and whether the peer knows it already. The peer is taken to know it from here on.
func (rs *Routes) number(r *OutRoute) (n uint64, known bool) {
	if r.known {
		return r.number, true
	}
	r.known, rs.added = true, false
	if r.number < uint64(len(rs.slots)) && rs.slots[r.number] == r { // the packet that defined it was not sent
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

// Undo takes back the latest packet that defined a route, because it is not sent. The peer expects new numbers in order,
// so a number that was never used is free again.
func (rs *Routes) Undo(r *OutRoute) {
	r.known = false
	if rs.added {
		rs.slots, rs.added = rs.slots[:len(rs.slots)-1], false
	}
}

// A SignalSink takes the signals for one client. Signals arrive in the order in which they were put. Calls to Put, Submit and
// Pending must not overlap; Window and Flush are safe for use by several goroutines at once.
type SignalSink interface {
	// Window is how many signals the client takes unanswered.
	Window() int

	// Account makes the sink count its bytes in total: roughly those of signals that wait to be written or are being
	// written. Several sinks share one total. Account is called once, before the first Put.
	Account(total *atomic.Int64)

	// Put queues a signal, packed in the client's codec, and returns about how many bytes of signals wait to be written. It
	// does not block, and keeps nothing of p. The signal stays in the queue until Submit. The caller keeps to the
	// window, and puts nothing while PendingLimit bytes wait. Answers of the client are a sign that fewer wait; a Collector says
	// so itself. An error means that the signal was not put: [ErrTooLarge], which leaves all routes as they were, or [ErrGone].
	Put(r *OutRoute, p *PackedSignal) (pending int, err error)

	// Submit hands on what was put, to be written by a Flush after it. A message that is transmitted before Submit may
	// arrive before the signal. Submit does not block. Many signals can be submitted together.
	Submit()

	// Pending returns how many bytes of signals wait to be written.
	Pending() int

	// Flush writes what was submitted: at once as far as the medium takes it if now is true, otherwise soon. It does not
	// block.
	Flush(now bool)
}

// A Collector is a SignalSink that fetches signals when it can write them. So whoever puts very many need not submit each of them,
// which costs as much as to put it. And whoever had to stop at PendingLimit goes on when that is written, not when the client answers.
type Collector interface {
	SignalSink

	// Collect has submit called before each write, before a message is queued, and when writing has ended and none is about to
	// follow. It calls Submit, in its turn, if something was put that was not submitted, or is put now, and reports whether it did. Collect is
	// called once, before the first Put or in turn with Put.
	Collect(submit func() bool)

	// Fetches reports whether what was put before the call, and has not been submitted, will be fetched and written, so that it need
	// not be submitted or flushed: as soon as what is being written has been or, if later is true, perhaps a millisecond later. Its
	// calls must not overlap with those to Put.
	Fetches(later bool) bool
}

// A Chooser is a SignalSink whose client is told only some of the signals that are put, because it has asked for less than a listener
// hears.
type Chooser interface {
	SignalSink

	// Tells reports whether the client is told of signals of a route. Those of others need not be put, and nobody waits for the
	// client because of them. Calls must not overlap with those to Put.
	Tells(r *OutRoute) bool
}

// PendingLimit is roughly how many bytes of signals may wait to be written to one client.
const PendingLimit = 256 << 10

// ManySignals is how many unanswered signals show that whoever puts them does not wait for each answer. Beyond it, a Collector may
// write what is put a little later.
const ManySignals = 512

// Answers takes the answers to signals that arrived, in the order of the signals. It is safe for use by several
// goroutines. An answer may come after the client has gone. It never answers signals of another connection. A client that
// keeps its signals until they are answered, such as a device, receives it when it is back.
type Answers interface {
	// Done answers the next n signals as done. Done(0) does nothing.
	Done(n int)
	// Fail answers the next signal as not done. The reply's status is not [StatusDone]; an exception that is too large
	// for the client is left out.
	Fail(r Reply)
}

// A Mark is the state of something that reports signals, such as a device's link. It replaces the state before, under the same key.
type Mark struct {
	// Key names it. Where there is no room for all marks, those whose keys are equal up to the first slash push out each other.
	Key   string
	State []byte // empty: the mark is removed
	// Within is how long whoever waits for the mark to be kept can do without: a device with a small memory may lose readings
	// after that. 0: as long as it takes.
	Within time.Duration
}

// Marked are Answers to signals that belong to a mark: either all of them and the mark are kept, or nothing is. The handler asks
// for the mark once, when it has triggered the last of the signals.
type Marked interface {
	Answers
	Mark() Mark
}

// A Keeper is a Handler that keeps marks, also while there is no power.
type Keeper interface {
	// State returns the state that was kept last under a key; nil if none was. It may be called under any lock but those that are
	// taken last.
	State(key string) []byte
	// Keep keeps a mark of a client in its turn: after what the client has sent before, as if it were a message. Then it calls
	// then, on another goroutine. It does not block. With the id of no client, the mark is nobody's, and kept at once.
	Keep(id ClientID, m Mark, then func())
}

// A Doubter is a Keeper that may answer for what it has not kept: to be quick, or because the disk has failed.
type Doubter interface {
	Keeper
	// Doubtful reports whether the states that are kept may be older than what they are of: because this Keeper answers now for what
	// it cannot keep, or because one before it was killed when it may have done so. It may be called under any lock but those that are
	// taken last.
	Doubtful() bool
}

// A SignalHandler is a Handler that takes signals as a stream. Both ends' handlers must be SignalHandlers, and both
// carriers must offer streams; otherwise signals travel as messages, and Client.Signals is nil.
type SignalHandler interface {
	Handler

	// HandleSignals handles signals of a client that arrived together. It is one of the calls that never overlap. The
	// handler answers all signals, in order, through answers, before or after HandleSignals returns. The signals and the
	// bytes of their data belong to the carrier again once it returns: [CloneSignals] copies them.
	HandleSignals(id ClientID, signals []Signal, answers Answers)

	// SignalsAnswered reports that the client has answered the next n signals: they are done or, if failed is not nil,
	// the next one is not, and n is 1. It is one of the calls that never overlap. A client that answers more signals than
	// were written to it is disconnected with [ErrMalformed] instead. Signals that are unanswered when the client goes
	// are never answered.
	SignalsAnswered(id ClientID, n int, failed *Reply)
}

// A Swapper is the Answers of a carrier that need not have its list of signals back.
type Swapper interface {
	Answers
	// Swap lets the handler, in HandleSignals, keep the list that it was given, and gives the carrier another one in its place, whose
	// signals it clears. The bytes of the data belong to the carrier again all the same: [CopyData] copies them.
	Swap(other []Signal)
}

// CloneSignals appends copies of the signals, with data of their own, to dst.
func CloneSignals(dst, signals []Signal) []Signal {
	first := len(dst)
	dst = append(dst, signals...)
	OwnData(dst[first:])
	return dst
}

// CopyData copies the data of signals, which belongs to somebody else, to a buffer, where the signals have it from then on. It returns the
// buffer, which it empties first and makes larger if need be.
func CopyData(signals []Signal, buffer []byte) []byte {
	buffer = slices.Grow(buffer[:0], dataSize(signals))
	for i := range signals {
		v := &signals[i].Data
		start := len(buffer)
		buffer = append(buffer, v.raw...)
		v.raw = buffer[start:len(buffer):len(buffer)]
	}
	return buffer
}

func dataSize(signals []Signal) (size int) {
	for i := range signals {
		size += len(signals[i].Data.raw)
	}
	return size
}

// OwnData gives signals, whose data belongs to somebody else, copies of it.
func OwnData(signals []Signal) {
	blocks := Blocks{Size: dataSize(signals)}
	for i := range signals {
		blocks.Own(&signals[i].Data)
	}
}

// Blocks give values bytes of their own, with one allocation for several small ones. Whoever keeps one of them keeps its block.
type Blocks struct {
	Size  int // in bytes, of all values that may be owned from now on
	block []byte
}

// dataBlock is the size in bytes of a block.
const dataBlock = 8 << 10

// Own gives v bytes of its own.
func (b *Blocks) Own(v *Value) {
	if len(v.raw) > cap(b.block)-len(b.block) {
		b.block = make([]byte, 0, max(len(v.raw), min(b.Size, dataBlock)))
	}
	b.Size -= len(v.raw)
	start := len(b.block)
	b.block = append(b.block, v.raw...)
	v.raw = b.block[start:len(b.block):len(b.block)]
}

// Clone returns the value with bytes of its own.
func (v Value) Clone() Value {
	v.raw = bytes.Clone(v.raw)
	return v
}

// Encoding returns the codec in which the value arrived. It is nil for a Go value that was never encoded.
func (v Value) Encoding() Codec { return v.codec }

// AsSignalHandler returns h if it takes signals. Otherwise it returns a handler that passes them to h as messages
// "signal", with the params info {sender, event, time, uncertainty, seq} and data, and answers them in order.
func AsSignalHandler(h Handler) SignalHandler {
	if s, ok := h.(SignalHandler); ok {
		return s
	}
	return &signalsAsMessages{Handler: h, clients: make(map[ClientID]*signalReplies)}
}

type signalsAsMessages struct {
	Handler

	mu      sync.Mutex
	clients map[ClientID]*signalReplies
}

// signalReplies are the signals of a client that are not answered, in their order. Some may remain after it has gone.
type signalReplies struct {
	mu      sync.Mutex
	waiting []*signalReply
}

// A signalReply is the answer to a signal, which waits for those before it.
type signalReply struct {
	given bool
	reply Reply
}

// HandleSignals implements SignalHandler.
func (h *signalsAsMessages) HandleSignals(id ClientID, signals []Signal, answers Answers) {
	h.mu.Lock()
	rs := h.clients[id]
	if rs == nil {
		rs = new(signalReplies)
		h.clients[id] = rs
	}
	h.mu.Unlock()
	for _, s := range CloneSignals(nil, signals) {
		r := new(signalReply)
		rs.mu.Lock()
		rs.waiting = append(rs.waiting, r)
		rs.mu.Unlock()
		if s.Err != nil {
			rs.answer(r, Failed(s.Err), answers)
			continue
		}
		h.HandleMessage(id, s.message(), func(reply Reply) { rs.answer(r, reply, answers) })
	}
}

func (rs *signalReplies) answer(r *signalReply, reply Reply, answers Answers) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r.given {
		return
	}
	r.given, r.reply = true, reply
	for ; len(rs.waiting) > 0 && rs.waiting[0].given; rs.waiting = rs.waiting[1:] {
		if rs.waiting[0].reply.Status == StatusDone {
			answers.Done(1)
		} else {
			answers.Fail(rs.waiting[0].reply)
		}
	}
}

// SignalsAnswered implements SignalHandler. This end sends no signals, so it is never called.
func (h *signalsAsMessages) SignalsAnswered(ClientID, int, *Reply) {}

// ClientDisconnected implements Handler.
func (h *signalsAsMessages) ClientDisconnected(id ClientID, cause error) {
	h.mu.Lock()
	delete(h.clients, id)
	h.mu.Unlock()
	h.Handler.ClientDisconnected(id, cause)
}

// message returns the signal as a message.
func (s *Signal) message() *Message {
	info := Object{{Key: "sender", Value: s.Route.Sender}, {Key: "event", Value: s.Route.Event}}
	if s.Time != 0 {
		info = append(info, Field{Key: "time", Value: s.Time})
	}
	if s.Uncertainty > 0 {
		info = append(info, Field{Key: "uncertainty", Value: s.Uncertainty})
	}
	if s.Seq > 0 {
		info = append(info, Field{Key: "seq", Value: s.Seq})
	}
	return &Message{Method: "signal", Params: ValueOf(Object{{Key: "info", Value: info}, {Key: "data", Value: s.Data}})}
}
