package link

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/wire"
)

// What the hub keeps of a device lies beside the device's readings, so that a hub that is killed goes on as if it had only lost its
// ports. A state says which frames were dealt with: as a reading is on record if and only if its frame counts as dealt with, it is
// neither doubled nor lost. It is a sequence of CBOR items:
//
//	version, boot number, hash of the dictionary, session,
//	the next frame's number, or 32 if the numbering has not begun,
//	answers that are more than done: how many, then for each its distance from the next frame, and the REP frame's payload
//	the latest reading's ticks; 1 if they are known, 2 if a frame before it could not be read, else 0
//	when the latest reading was taken, in nanoseconds since 1970, or 0; how far that may be off, in milliseconds
//	whether unacknowledged readings may be from before a reset, and the ticks of the first HELLO after that
//	the clock: see clockstate.go
//	what the owner adds

// stateVersion is the version of a state. Another one is not read.
const stateVersion = 1

const (
	// maxKeptReply bounds the answer to a frame that a state remembers. Of a longer one it remembers the status.
	maxKeptReply = 48
	// MaxOwnState bounds what the owner of a device may add to its state.
	MaxOwnState = 512
	// MaxState bounds a state in bytes. Most have 60 to 100.
	MaxState = 2048
)

// A settled is how far the owner has dealt with a device's frames.
type settled struct {
	numbered bool  // there was a frame
	next     uint8 // the number after that of the latest
	timeline wire.Timeline
	taken    takenTime
}

// A takenTime is when a reading was taken, by the time of day, and how far that may be off. The zero takenTime means that no reading
// was taken.
type takenTime struct {
	at          time.Time
	uncertainty time.Duration
}

// Settle notes that the owner has dealt with a frame, and with all before it. The states from here on say so.
func (d *Device) Settle(in *Incoming) {
	in.settled = true
	d.settled = settled{true, (in.number + 1) % wire.FrameNumbers, d.timeline, d.taken}
}

// Presume says how a frame is to be answered, with the payload of a REP frame, if the hub is killed when it has settled the frame and
// not answered it. Other frames are then answered as done.
func (in *Incoming) Presume(reply []byte) { in.presumed = reply }

// State returns what the next run of the hub has to know of the device to go on with its frames, with what its owner adds. It knows
// the frames that are settled, and no others that have arrived.
func (d *Device) State(now time.Time, own []byte) []byte {
	dst := make([]byte, 0, 128)
	next := uint64(wire.FrameNumbers)
	if d.settled.numbered {
		next = uint64(d.settled.next)
	}
	for _, n := range []uint64{stateVersion, uint64(d.Hello.Boot), uint64(d.Hello.Dictionary), uint64(d.session), next} {
		dst = wire.AppendUint(dst, n)
	}
	dst = d.appendAnswers(dst)
	at := d.settled.timeline
	dst = wire.AppendUint(dst, uint64(at.Ticks))
	switch {
	case at.Torn:
		dst = append(dst, 2)
	case at.Begun:
		dst = append(dst, 1)
	default:
		dst = append(dst, 0)
	}
	taken := int64(0)
	if !d.settled.taken.at.IsZero() {
		taken = d.settled.taken.at.UnixNano()
	}
	dst = wire.AppendInt(dst, taken)
	dst = wire.AppendUint(dst, uint64(math.Ceil(max(d.settled.taken.uncertainty, 0).Seconds()*1000)))
	if since, ok := d.beforeReset(); ok {
		dst = wire.AppendUint(append(dst, 1), uint64(since))
	} else {
		dst = append(dst, 0)
	}
	dst = d.Clock.append(dst, now, d.uptime)
	return wire.AppendBytes(dst, own)
}

// beforeReset returns the ticks of the first HELLO after the latest reset or sleep, if readings from before it may be
// unacknowledged.
func (d *Device) beforeReset() (since uint32, ok bool) {
	if len(d.earlier) == 0 {
		return 0, false
	}
	since = d.earlier[len(d.earlier)-1].ticks
	at := d.settled.timeline
	return since, !at.Begun || int32(at.Ticks-since) < 0
}

// appendAnswers appends the answers to settled frames that are more than done. Those of frames that cannot come again may be
// missing: they count as done.
func (d *Device) appendAnswers(dst []byte) []byte {
	var list []byte
	count := uint64(0)
	for back := uint8(1); d.settled.numbered && back <= wire.MaxWindow; back++ {
		s := d.Link.in.at(d.settled.next - back)
		if s == nil || !s.settled {
			continue
		}
		reply := s.kept()
		if reply == nil {
			continue
		}
		count++
		list = wire.AppendBytes(wire.AppendUint(list, uint64(back)), reply)
	}
	return append(wire.AppendUint(dst, count), list...)
}

// ErrAnswerLost answers a message whose answer was lost when the hub was killed.
var ErrAnswerLost = errors.New("the hub was restarted: the answer is lost")

// kept returns the payload of the REP frame with which the next run of the hub is to answer the frame, nil for done.
func (in *Incoming) kept() []byte {
	reply := in.presumed
	if in.answered {
		reply = in.reply
	}
	if len(reply) <= maxKeptReply {
		return reply
	}
	if short := wire.ShortenReply(reply, maxKeptReply); short != nil {
		return short
	}
	return wire.PackReply(carrier.Failed(ErrAnswerLost), maxKeptReply)
}

// recall makes a device known of which an earlier run of the hub has kept a state, unless it is known. A state that cannot be read
// counts as none.
func (ds *Devices) recall(now time.Time, h wire.Hello, log *slog.Logger) {
	id := h.ID()
	if ds.Recall == nil || ds.byID[id] != nil {
		return
	}
	state := ds.Recall(id)
	if len(state) == 0 {
		return
	}
	d := ds.add(h)
	if err := d.restore(now, h, state); err != nil {
		delete(ds.byID, id)
		log.Warn("what was kept of a device cannot be used: its readings are numbered anew, and some may be doubled", "device", h.Title(),
			"uid", id, "error", err)
		return
	}
	if ds.Doubtful {
		d.doubt()
	}
}

// doubt forgets the numbers of a device, because a state of which nobody knows how old it is could stand for others. The device
// numbers its frames anew, and readings may have been lost.
func (d *Device) doubt() {
	d.Link.in, d.Link.numbered = inbox{}, false
	d.timeline = wire.Timeline{}
	d.settled = settled{taken: d.taken}
	d.Recalled.Lost = true
}

// restore continues from a state that an earlier run of the hub has kept.
func (d *Device) restore(now time.Time, h wire.Hello, state []byte) error {
	if len(state) > MaxState {
		return fmt.Errorf("serial: a state has at most %d bytes, not %d", MaxState, len(state))
	}
	in := wire.Items{Rest: state}
	if v := in.Uint("the version", 1<<32-1); in.Err == nil && v != stateVersion {
		return fmt.Errorf("serial: a state of version %d is not one that this hub can read, which is %d", v, stateVersion)
	}
	d.Hello.Boot = uint32(in.Uint("the boot number", 1<<32-1))
	d.Hello.Dictionary = uint32(in.Uint("the hash of the dictionary", 1<<32-1))
	session := uint16(in.Uint("the session", wire.CRCStart-1))
	next := uint8(in.Uint("the next frame", wire.FrameNumbers))
	numbered := next < wire.FrameNumbers
	if numbered {
		d.Link.in.next = next
		for back := uint8(1); back <= wire.MaxWindow; back++ {
			n := (next - back) % wire.FrameNumbers
			d.Link.in.slots[n%wire.MaxWindow] = &Incoming{number: n, answered: true, settled: true}
		}
	}
	last := uint8(0)
	for n := in.Uint("the number of answers", wire.MaxWindow); n > 0; n-- {
		back := uint8(in.Uint("the place of an answer", wire.MaxWindow))
		reply := bytes.Clone(in.Bytes("an answer", maxKeptReply))
		if in.Err != nil || !numbered || back <= last || wire.CheckReply(reply) != nil {
			return fmt.Errorf("%w: an answer makes no sense", carrier.ErrMalformed)
		}
		last = back
		d.Link.in.slots[(next-back)%wire.MaxWindow].reply = reply
	}
	d.timeline.Ticks = uint32(in.Uint("the latest ticks", 1<<32-1))
	known := in.Uint("whether the ticks are known", 2)
	d.timeline.Begun, d.timeline.Torn = known == 1, known == 2
	var taken takenTime
	if ns := in.Int("the time of the latest reading", math.MaxInt64); ns != 0 {
		taken.at = time.Unix(0, ns)
	}
	taken.uncertainty = time.Duration(in.Uint("how far that may be off", math.MaxInt64/1_000_000)) * time.Millisecond
	if in.Uint("whether there was a reset", 1) == 1 {
		since := uint32(in.Uint("the ticks at the reset", 1<<32-1))
		d.earlier = []era{{clock: newClock(h.TicksPerSecond), ticks: since, heard: now}}
	}
	clock := restoreClock(&in, now, h.TicksPerSecond, d.uptime)
	own := slices.Clone(in.Bytes("what the owner has added", MaxOwnState))
	switch {
	case in.Err != nil:
		return in.Err
	case len(in.Rest) > 0 || session == 0 && numbered:
		return fmt.Errorf("%w: the state makes no sense", carrier.ErrMalformed)
	}
	d.Clock, d.taken = clock, taken
	d.Recalled = &Recollection{Own: own, Dictionary: d.Hello.Dictionary, Taken: taken.at, after: taken.at.Add(-taken.uncertainty)}
	d.Link.numbered = numbered
	d.settled = settled{numbered, next % wire.FrameNumbers, d.timeline, taken}
	// Sessions begin without a new state. So the next one is far ahead of what the device may have seen.
	d.session = session&0xff00 | uint16(byte(session)+sessionsAhead)
	if d.Hello.Boot == h.Boot && d.Hello.Dictionary != h.Dictionary { // it runs another program, and says no other number
		d.Hello.Boot = ^h.Boot
	}
	return nil
}

// sessionsAhead is by how many numbers the session after a restart of the hub is ahead of the latest that was kept.
const sessionsAhead = 63
