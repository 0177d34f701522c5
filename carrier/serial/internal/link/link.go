package link

import (
	"time"

	"sighub/carrier/serial/internal/wire"
)

const (
	// tellEvery is the shortest time between two AGAIN frames.
	tellEvery = 10 * time.Millisecond
	// promptly is the time after an answer within which the next frame shows that the other end has waited for it.
	promptly = 100 * time.Millisecond
)

// Limits are what the two ends of a session have agreed on.
type Limits struct {
	MaxFrame int // bytes of the largest frame
	window   int // unanswered reliable frames, in each direction
	bytes    int // of our unanswered frames
}

// A Link is one end of the conversation between the hub and a device. It delivers reliable frames in both directions, each
// once and in order, and finds out whether the other end is there. It outlives sessions, for as long as the device runs.
type Link struct {
	askAfter   time.Duration              // silence after which to send a PING
	clockEvery time.Duration              // longest time between two PINGs; 0: no need of the other end's clock
	baud       int                        // bits per second, ten per byte
	ticks      func(now time.Time) uint32 // this end's clock, for answers to PING

	side         wire.End
	session      uint16 // 0: none
	limits       Limits
	out          unanswered
	in           inbox
	resend       resendTimer
	nextResend   time.Time // of unanswered frames; zero: there are none
	resendNow    bool      // the other end misses a frame
	frameMissing bool      // this end misses a frame, and AGAIN is to say so
	missingTold  time.Time // when AGAIN was last sent

	heard    time.Time // when the latest frame of this session arrived, or the session began
	heardAny bool      // a frame of this session has arrived
	backlog  int       // reliable frames that have arrived, and that the owner has not dealt with
	numbered bool      // a reliable frame has arrived since the numbering began
	answered time.Time // when the latest answer was sent
	hold     bool      // no reliable frame is sent until the other end is heard in a session
	ping     pings

	doubtedFrames  doubts
	doubtedReplies doubts

	Stats Stats
}

type pings struct {
	number       uint8     // of our latest PING
	sentAt       time.Time // when that was sent
	open         bool      // it is not answered yet
	soon         bool      // a PING is due at once
	asked        bool      // the other end's PING is to be answered
	answerNumber uint8     // the number of that PING
}

// Stats counts reliable frames: ours sent and sent again; the other end's ignored because they came again, and asked for again
// because they made no sense.
type Stats struct{ Sent, Resent, Repeated, Doubted uint64 }

// An Arrival is what a frame from the other end means to the link's owner. One of its three parts is set.
type Arrival struct {
	In      *Incoming      // a reliable frame, to be answered
	Kind    wire.FrameType // EVT or MSG
	Payload []byte         // the owner may keep it

	Answered *outgoing // one of our frames, which is answered now
	Reply    []byte    // payload of the REP frame; nil: done, without a response

	pong   []byte // payload of the answer to our PING
	sentAt time.Time
}

// begin begins a session. The caller sees to the numbers of both directions.
func (l *Link) begin(now time.Time, session uint16, agreed Limits) {
	l.session, l.limits = session, agreed
	l.heard, l.heardAny = now, false
	l.nextResend, l.resendNow, l.frameMissing, l.missingTold = time.Time{}, false, false, time.Time{}
	l.resend.progress()
	l.ping = pings{number: l.ping.number, sentAt: now, soon: l.clockEvery > 0}
}

// end ends the session; the numbers stay.
func (l *Link) end() { l.session = 0 }

// PayloadLimit returns the largest payload that a frame of this session can hold.
func (l *Link) PayloadLimit() int { return wire.PayloadLimit(l.limits.MaxFrame) }

// Window returns how many reliable frames may be unanswered.
func (l *Link) Window() int { return l.limits.window }

// RoundTrip returns how long a frame and its answer take, smoothed; 0: not known.
func (l *Link) RoundTrip() time.Duration { return l.resend.srtt }

// Send queues a reliable frame. The owner keeps to the window.
func (l *Link) Send(kind wire.FrameType, id uint64, payload []byte) { l.out.queue(kind, id, payload) }

// Answer answers a reliable frame with the payload of a REP frame, or nil for done without a response. Only the first
// answer counts; Answer reports whether it was that.
func (l *Link) Answer(in *Incoming, reply []byte) bool { return l.in.answer(in, reply) }

// Full reports whether the other end may send no further frame until one is answered.
func (l *Link) Full() bool { return l.in.open() >= l.limits.window }

// UnansweredReadings returns how many bytes of readings the other end keeps because they are not answered yet. It may have more.
func (l *Link) UnansweredReadings() int { return l.in.readings() }

// Consumed notes that the owner has dealt with a reliable frame.
func (l *Link) Consumed() { l.backlog-- }

// hear notes that a frame of this session arrived.
func (l *Link) hear(now time.Time) { l.heard, l.heardAny, l.hold = now, true, false }

// damaged notes that something arrived that is not a frame. It may have been a reliable one, so AGAIN tells the other end,
// long before its timer would.
func (l *Link) damaged() { l.frameMissing = true }

// receive takes a frame of this session, and appends what it means to arrivals.
func (l *Link) receive(now time.Time, f wire.Frame, arrivals []Arrival) []Arrival {
	l.hear(now)
	switch f.Kind {
	case wire.FrameEvent, wire.FrameMessage:
		if l.backlog > wire.MaxWindow {
			l.Stats.Repeated++ // the other end ignores the window
			return arrivals
		}
		in := l.in.take(f.Number)
		if in == nil {
			l.Stats.Repeated++
			if l.in.ahead(f.Number) {
				l.damaged() // an earlier frame was
			}
			return arrivals
		}
		l.frameMissing = false
		l.numbered, in.prompt = true, now.Sub(l.answered) < promptly
		if f.Kind == wire.FrameEvent {
			in.readings = len(f.Payload)
		}
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
		if i >= 0 && !l.out.frames[i].ended && l.doubtReply(f.Number, f.Payload) {
			return arrivals
		}
		for j := range i {
			l.out.frames[j].received = true
		}
		if i >= 0 {
			arrivals = l.ended(now, i, append([]byte{}, f.Payload...), arrivals)
		}
		l.progress(now, i >= 0)
	case wire.FrameAgain:
		l.resendNow = l.out.first() >= 0
	case wire.FramePing:
		if len(f.Payload) == 0 {
			l.ping.asked, l.ping.answerNumber = true, f.Number
		} else if l.ping.open && f.Number == l.ping.number {
			l.ping.open = false
			arrivals = append(arrivals, Arrival{pong: append([]byte(nil), f.Payload...), sentAt: l.ping.sentAt})
		}
	}
	return arrivals
}

// ended ends one of our frames with its answer, unless it has ended or nobody waits for it.
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

// progress restarts the resend timer after an answer.
func (l *Link) progress(now time.Time, made bool) {
	if !made {
		return
	}
	l.out.trim()
	l.resend.progress()
	l.nextResend = time.Time{}
	if l.out.inFlight > 0 {
		l.nextResend = l.resendAt(now)
	}
}

func (l *Link) resendAt(now time.Time) time.Time {
	wait := l.resend.timeout()
	if l.out.first() < 0 {
		wait = maxResend // all were received: the other end is slow to answer, or its replies were lost
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

// pull appends the next frame to write, if any waits: answers first, then AGAIN and PING, then frames to be sent again,
// then new ones.
func (l *Link) pull(now time.Time, dst []byte) []byte {
	if l.session == 0 {
		return dst
	}
	if in, all := l.in.due(l.limits.window); in != nil {
		l.answered = now
		switch {
		case all:
			return l.append(dst, wire.Frame{Kind: wire.FrameAck, Number: in.number})
		case in.reply == nil:
			return l.append(dst, wire.Frame{Kind: wire.FrameReply, Number: in.number, Payload: []byte{0}})
		default:
			return l.append(dst, wire.Frame{Kind: wire.FrameReply, Number: in.number, Payload: in.reply})
		}
	}
	if l.ping.asked {
		l.ping.asked = false
		return l.append(dst, wire.Frame{Kind: wire.FramePing, Number: l.ping.answerNumber, Payload: wire.AppendUint(nil, uint64(l.ticks(now)))})
	}
	if l.frameMissing && !now.Before(l.missingTold.Add(tellEvery)) {
		l.frameMissing, l.missingTold = false, now
		return l.append(dst, wire.Frame{Kind: wire.FrameAgain, Number: l.in.next})
	}
	if !now.Before(l.pingAt()) {
		return l.ask(now, dst)
	}
	if late := !l.nextResend.IsZero() && !now.Before(l.nextResend); late || l.resendNow {
		if late {
			l.resend.double()
		}
		l.nextResend, l.resendNow = time.Time{}, false
		l.out.cursor = max(l.out.first(), 0)
		dst = append(dst, 0) // ends what the other end may have read of a damaged frame
	}
	o := l.out.due(l.limits.window, l.limits.bytes)
	if o == nil || l.hold {
		return dst
	}
	l.out.sent(now)
	if o.sends > 1 {
		l.Stats.Resent++
	} else {
		l.Stats.Sent++
	}
	if l.nextResend.IsZero() {
		l.nextResend = l.resendAt(now)
	}
	return l.append(dst, wire.Frame{Kind: o.kind, Number: o.number, Payload: o.payload})
}

// ask appends a PING.
func (l *Link) ask(now time.Time, dst []byte) []byte {
	l.ping.number = (l.ping.number + 1) % wire.FrameNumbers
	l.ping.sentAt, l.ping.open, l.ping.soon = now, true, false
	return l.append(dst, wire.Frame{Kind: wire.FramePing, Number: l.ping.number})
}

func (l *Link) append(dst []byte, f wire.Frame) []byte {
	return wire.AppendFrame(dst, l.side, l.session, f)
}

// pingAt returns when the next PING is due: after silence, and in any case often enough for the other end's clock.
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

// wake returns when pull is to be called again if nothing happens before.
func (l *Link) wake() time.Time {
	at := l.pingAt()
	if !l.nextResend.IsZero() {
		at = earliest(at, l.nextResend)
	}
	if l.frameMissing {
		at = earliest(at, l.missingTold.Add(tellEvery))
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
