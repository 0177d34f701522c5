package link

import (
	"time"

	"sighub/carrier/serial/internal/wire"
)

// tellEvery is how often a peer is told that something is missed, at most.
const tellEvery = 10 * time.Millisecond

// limits are what the two ends of a session have agreed upon.
type limits struct {
	maxFrame int // bytes on the line
	window   int // reliable frames unanswered, in each direction
	bytes    int // bytes of our reliable frames outstanding
}

// A Link is one end of the conversation between the hub and a device: reliable frames in both directions, each
// delivered once and in order, and the question whether the other end is there. It goes on from one session to
// the next for as long as the device runs. It does nothing by itself: frames are given to receive, and what is to
// be written is asked for with pull, so it can be tried out in virtual time, and a line that stands still costs
// no memory.
type Link struct {
	askAfter   time.Duration              // of silence, to send a PING
	clockEvery time.Duration              // send a PING at least as often; 0: no need
	baud       int                        // bits per second, ten per byte
	ticks      func(now time.Time) uint32 // this end's clock, told in answers to PING

	session uint16 // 0: none
	limits  limits
	out     unanswered
	in      inbox
	resend  resendTimer
	again   time.Time // when to send again what is unanswered; zero: nothing is
	missed  bool      // the peer says that it misses it: send it again now
	lacking bool      // something is missed here: the peer is to be told
	told    time.Time // when it was last

	heard    time.Time // the last good frame of this session, or its beginning
	anything bool      // a frame of this session was heard
	backlog  int       // reliable frames that arrived and that the owner has not dealt with
	ping     pings

	Stats Stats
}

type pings struct {
	number uint8     // of our last
	sentAt time.Time // when it was sent
	open   bool      // it was not answered yet
	soon   bool      // ask as soon as possible
	answer bool      // the peer's is to be answered
	theirs uint8     // its number
}

// Stats counts reliable frames: ours sent and sent again, the other end's taken and passed over.
type Stats struct{ Sent, Resent, received, Repeated uint64 }

// An Arrival is what a frame from the peer means to the link's owner: one of the three parts is set.
type Arrival struct {
	In      *Incoming      // a reliable frame, to be answered
	Kind    wire.FrameType // EVT or MSG
	Payload []byte         // the owner's to keep

	Answered *outgoing // one of ours was answered
	Reply    []byte    // payload of the REP; nil: done, without a response

	pong   []byte // payload of the answer to our PING
	sentAt time.Time
}

// begin begins a session. The caller has seen to the numbers of both directions.
func (l *Link) begin(now time.Time, session uint16, agreed limits) {
	l.session, l.limits = session, agreed
	l.heard, l.anything = now, false
	l.again, l.missed, l.lacking, l.told = time.Time{}, false, false, time.Time{}
	l.resend.progress()
	l.ping = pings{number: l.ping.number, sentAt: now, soon: l.clockEvery > 0}
}

// end ends the session; the numbers stay.
func (l *Link) end() { l.session = 0 }

// PayloadLimit returns the largest payload that a frame of this session can hold.
func (l *Link) PayloadLimit() int { return wire.PayloadLimit(l.limits.maxFrame) }

// Window returns how many reliable frames may be unanswered.
func (l *Link) Window() int { return l.limits.window }

// RoundTrip returns how long a frame and its answer take, smoothed; 0: not known.
func (l *Link) RoundTrip() time.Duration { return l.resend.srtt }

// Send queues a reliable frame. The owner sees to it that no more than a window of them is queued.
func (l *Link) Send(kind wire.FrameType, id uint64, payload []byte) { l.out.queue(kind, id, payload) }

// Answer answers a reliable frame of the peer's with the payload of a REP, or nil for done without a response.
func (l *Link) Answer(in *Incoming, reply []byte) bool { return l.in.answer(in, reply) }

// Consumed tells that the owner has dealt with a reliable frame that arrived.
func (l *Link) Consumed() { l.backlog-- }

// hear notes that a frame of this session arrived.
func (l *Link) hear(now time.Time) { l.heard, l.anything = now, true }

// damaged notes that something arrived which is no frame: it may have been a reliable one. AGAIN tells the peer so,
// long before its timer does.
func (l *Link) damaged() { l.lacking = true }

// receive takes a frame of this session, and appends what it means to arrivals.
func (l *Link) receive(now time.Time, f wire.Frame, arrivals []Arrival) []Arrival {
	l.hear(now)
	switch f.Kind {
	case wire.FrameEvent, wire.FrameMessage:
		if l.backlog > wire.MaxWindow {
			l.Stats.Repeated++ // a peer that keeps to its window never comes here
			return arrivals
		}
		in := l.in.take(f.Number)
		if in == nil {
			l.Stats.Repeated++
			if l.in.ahead(f.Number) {
				l.damaged() // one before it was
			}
			return arrivals
		}
		l.lacking = false
		l.Stats.received++
		l.backlog++
		return append(arrivals, Arrival{In: in, Kind: f.Kind, Payload: append([]byte(nil), f.Payload...)})
	case wire.FrameAck:
		last := l.out.find(f.Number)
		for i := range last + 1 {
			arrivals = l.ended(now, i, nil, arrivals)
		}
		l.progress(now, last >= 0)
	case wire.FrameReply:
		i := l.out.find(f.Number)
		for j := range i {
			l.out.frames[j].received = true
		}
		if i >= 0 {
			arrivals = l.ended(now, i, append([]byte{}, f.Payload...), arrivals)
		}
		l.progress(now, i >= 0)
	case wire.FrameAgain:
		l.missed = l.out.first() >= 0
	case wire.FramePing:
		if len(f.Payload) == 0 {
			l.ping.answer, l.ping.theirs = true, f.Number
		} else if l.ping.open && f.Number == l.ping.number {
			l.ping.open = false
			arrivals = append(arrivals, Arrival{pong: append([]byte(nil), f.Payload...), sentAt: l.ping.sentAt})
		}
	}
	return arrivals
}

// ended ends one of our frames with the peer's answer, unless that was done or nobody waits for it.
func (l *Link) ended(now time.Time, i int, reply []byte, arrivals []Arrival) []Arrival {
	o := l.out.frames[i]
	if o.ended {
		return arrivals
	}
	o.ended = true
	if o.sends == 1 {
		l.resend.sample(now.Sub(o.sentAt))
	}
	return append(arrivals, Arrival{Answered: o, Reply: reply})
}

// progress goes on after an answer: time runs anew for what is still unanswered.
func (l *Link) progress(now time.Time, made bool) {
	if !made {
		return
	}
	l.out.trim()
	l.resend.progress()
	l.again = time.Time{}
	if l.out.flying > 0 {
		l.again = l.resendAt(now)
	}
}

func (l *Link) resendAt(now time.Time) time.Time {
	wait := l.resend.timeout()
	if l.out.first() < 0 {
		wait = maxResend // all were received: the peer takes its time, but its replies may have been lost as well
	}
	return now.Add(wait + l.lineTime(l.out.outstanding()))
}

// lineTime returns how long the line takes for n bytes.
func (l *Link) lineTime(n int) time.Duration {
	if l.baud <= 0 {
		return 0
	}
	return time.Duration(n) * 10 * time.Second / time.Duration(l.baud)
}

// pull appends the next frame to write: replies, then PINGs, then what is due again, then what is new. If there is
// none, dst comes back as it was.
func (l *Link) pull(now time.Time, dst []byte) []byte {
	if l.session == 0 {
		return dst
	}
	if in, all := l.in.due(l.limits.window); in != nil {
		switch {
		case all:
			return l.append(dst, wire.Frame{Kind: wire.FrameAck, Number: in.number})
		case in.reply == nil:
			return l.append(dst, wire.Frame{Kind: wire.FrameReply, Number: in.number, Payload: []byte{0}})
		default:
			return l.append(dst, wire.Frame{Kind: wire.FrameReply, Number: in.number, Payload: in.reply})
		}
	}
	if l.ping.answer {
		l.ping.answer = false
		return l.append(dst, wire.Frame{Kind: wire.FramePing, Number: l.ping.theirs, Payload: wire.AppendUint(nil, uint64(l.ticks(now)))})
	}
	if l.lacking && !now.Before(l.told.Add(tellEvery)) {
		l.lacking, l.told = false, now
		return l.append(dst, wire.Frame{Kind: wire.FrameAgain, Number: l.in.next})
	}
	if !now.Before(l.pingAt()) {
		return l.ask(now, dst)
	}
	if late := !l.again.IsZero() && !now.Before(l.again); late || l.missed {
		if late {
			l.resend.double()
		}
		l.again, l.missed = time.Time{}, false
		l.out.cursor = max(l.out.first(), 0)
		dst = append(dst, 0) // whatever stands in the peer's buffer ends here
	}
	o := l.out.due(l.limits.window, l.limits.bytes)
	if o == nil {
		return dst
	}
	l.out.sent(now)
	if o.sends > 1 {
		l.Stats.Resent++
	} else {
		l.Stats.Sent++
	}
	if l.again.IsZero() {
		l.again = l.resendAt(now)
	}
	return l.append(dst, wire.Frame{Kind: o.kind, Number: o.number, Payload: o.payload})
}

// ask appends a PING.
func (l *Link) ask(now time.Time, dst []byte) []byte {
	l.ping.number = (l.ping.number + 1) % wire.FrameNumbers
	l.ping.sentAt, l.ping.open, l.ping.soon = now, true, false
	return l.append(dst, wire.Frame{Kind: wire.FramePing, Number: l.ping.number})
}

func (l *Link) append(dst []byte, f wire.Frame) []byte { return wire.AppendFrame(dst, l.session, f) }

// pingAt returns when the next PING is due: after silence, now and then all the same for the owner that wants the
// peer's clock, and at once when a session begins.
func (l *Link) pingAt() time.Time {
	if l.ping.soon {
		return l.heard
	}
	at := latest(l.heard, l.ping.sentAt).Add(l.askAfter)
	if l.clockEvery > 0 {
		at = earliest(at, l.ping.sentAt.Add(l.clockEvery))
	}
	return at
}

// wake returns when pull will have something to write though nothing has happened until then.
func (l *Link) wake() time.Time {
	at := l.pingAt()
	if !l.again.IsZero() {
		at = earliest(at, l.again)
	}
	if l.lacking {
		at = earliest(at, l.told.Add(tellEvery))
	}
	return at
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
