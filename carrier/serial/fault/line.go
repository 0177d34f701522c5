package fault

import (
	"cmp"
	"math/rand/v2"
	"time"
)

// A Line is one direction of a serial line: a transmitter with a FIFO of 4 KiB, a wire that does harm, and a receiver that
// holds 4 KiB beside what a delay keeps on its way. When the receiver is full, the transmitter waits.
//
// The time is an argument, and must not be earlier than in the call before. A Line is not safe for use by several goroutines.
type Line struct {
	harm                                       Harm
	flip, lose, double, insert, drop, repeated chance
	noise, jitter                              *rand.Rand
	stats                                      Stats

	epoch time.Time // what the durations below count from
	free  time.Duration
	part  int64 // of a nanosecond that free is behind: part / Baud

	// What is to be put on the wire, in this order.
	boot  []byte // as it is
	again []byte // of a frame that comes twice
	fifo  ring[byte]

	// The frame of which the FIFO's next byte is a part.
	inside, dropping bool
	keep             bool // frame, to repeat it
	frame            []byte

	// What is on its way to the receiver, or there already.
	flight  ring[arrival]
	stalled bool // for lack of room in flight
	delay   time.Duration
	left    int // bytes that are delayed by it
}

type arrival struct {
	at   time.Duration // or when all before it have arrived, if that is later
	data byte
}

const (
	bufferSize = 4096    // bytes, of the FIFO and of the receiver
	maxFlight  = 1 << 16 // bytes that a delay may keep on their way
	maxRepeat  = 8192    // bytes of a frame that comes twice
	burst      = 64      // bytes that have the same delay
	stepSize   = 3       // bytes that one byte can become, without those of a repeated frame
	usualBaud  = 1_000_000
)

// NewLine returns one direction of a line. Give the two directions different seeds.
func NewLine(h Harm, seed uint64) (*Line, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	flight := bufferSize + min(int(h.Delay.Max.Seconds()*float64(cmp.Or(h.Baud, usualBaud))/10), maxFlight)
	return &Line{
		harm:     h,
		flip:     newChance(h.Flip, seed, streamFlip),
		lose:     newChance(h.Lose, seed, streamLose),
		double:   newChance(h.Double, seed, streamDouble),
		insert:   newChance(h.Insert, seed, streamInsert),
		drop:     newChance(h.Drop, seed, streamDrop),
		repeated: newChance(h.Repeat, seed, streamRepeat),
		noise:    stream(seed, streamNoise),
		jitter:   stream(seed, streamDelay),
		fifo:     newRing[byte](bufferSize),
		flight:   newRing[arrival](flight),
	}, nil
}

// Send puts as much of data into the transmitter as there is room for, and returns how much that is. If that is not all, again
// is when to try again; if it is zero, after the next Receive.
func (l *Line) Send(now time.Time, data []byte) (n int, again time.Time) {
	t := l.begin(now)
	n = min(len(data), l.fifo.room())
	for _, b := range data[:n] {
		l.fifo.push(b)
	}
	l.advance(t)
	if n == len(data) || l.stalled {
		return n, time.Time{}
	}
	// Not for each byte: a transmitter asks for more when a quarter of its FIFO is empty.
	return n, l.epoch.Add(l.free + l.times(min(len(data)-n, bufferSize/4)))
}

// Receive moves what has arrived into dst. It returns how much that is, and when there may be more if nothing is sent before;
// a zero time means never.
func (l *Line) Receive(now time.Time, dst []byte) (n int, next time.Time) {
	t := l.begin(now)
	for {
		l.advance(t)
		for n < len(dst) && l.flight.n > 0 && l.flight.peek().at <= t {
			dst[n] = l.flight.pop().data
			n++
		}
		if !l.stalled || l.flight.room() < stepSize {
			break
		}
		l.stalled = false
		l.free = max(l.free, t)
	}
	switch {
	case l.flight.n > 0:
		next = l.epoch.Add(l.flight.peek().at)
	case l.waiting():
		next = l.epoch.Add(l.free + l.times(1))
	}
	return n, next
}

// Boot makes the device print a text, before what is still to be sent.
func (l *Line) Boot(now time.Time, text string) {
	t := l.begin(now)
	l.boot = append(l.boot, text...)
	l.advance(t)
}

// Cut loses all that is on the line.
func (l *Line) Cut() {
	l.boot, l.again, l.frame = nil, nil, nil
	l.inside, l.dropping, l.keep, l.stalled = false, false, false, false
	l.fifo.clear()
	l.flight.clear()
	l.left = 0
}

// Stats counts what was done so far.
func (l *Line) Stats() Stats { return l.stats }

// begin returns the time since the line was first used, and lets an idle line begin now.
func (l *Line) begin(now time.Time) time.Duration {
	if l.epoch.IsZero() {
		l.epoch = now
	}
	t := now.Sub(l.epoch)
	l.advance(t)
	if !l.waiting() && l.free < t {
		l.free, l.part = t, 0
	}
	return t
}

// waiting reports whether there is something to put on the wire.
func (l *Line) waiting() bool { return len(l.boot) > 0 || len(l.again) > 0 || l.fifo.n > 0 }

// advance puts on the wire what fits on it until t.
func (l *Line) advance(t time.Duration) {
	for l.waiting() && l.free+l.times(1) <= t {
		if l.stalled = l.flight.room() < stepSize; l.stalled {
			return
		}
		l.step()
	}
}

// times returns how long so many bytes take, after free.
func (l *Line) times(n int) time.Duration {
	if l.harm.Baud == 0 {
		return 0
	}
	return time.Duration((l.part + int64(n)*10*int64(time.Second)) / int64(l.harm.Baud))
}

// pass lets the time of one byte pass. What is left of a nanosecond is kept: over a long time the rate is exact.
func (l *Line) pass() {
	if l.harm.Baud == 0 {
		return
	}
	sum := l.part + 10*int64(time.Second)
	l.free += time.Duration(sum / int64(l.harm.Baud))
	l.part = sum % int64(l.harm.Baud)
}

// arrive puts a byte on the wire that will reach the receiver.
func (l *Line) arrive(b byte) {
	l.pass()
	if l.left == 0 {
		l.left = burst
		l.delay = l.harm.Delay.Min
		if span := l.harm.Delay.Max - l.harm.Delay.Min; span > 0 {
			l.delay += time.Duration(l.jitter.Int64N(int64(span) + 1))
		}
	}
	l.left--
	if b == 0 {
		l.left = 0
	}
	l.flight.push(arrival{l.free + l.delay, b})
}
