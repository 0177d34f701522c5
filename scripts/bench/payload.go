package main

import (
	"encoding/binary"
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// payloadSize is the size of every message of every peer, in bytes.
const payloadSize = 64

// filler fills a payload up to payloadSize.
const filler = "................................"

// The payload of a message is printable text without quotes, so that no format has to escape it, not even JSON. Each byte holds 4 bits,
// as a letter from @ to O. It contains the sender (8 letters), the number of the message (8), the sender's clock in nanoseconds (16), and
// the filler (32).
func writePayload(p []byte, sender, seq uint32, at time.Duration) {
	binary.BigEndian.PutUint64(p, spread(sender))
	binary.BigEndian.PutUint64(p[8:], spread(seq))
	binary.BigEndian.PutUint64(p[16:], spread(uint32(uint64(at)>>32)))
	binary.BigEndian.PutUint64(p[24:], spread(uint32(at)))
	copy(p[32:payloadSize], filler)
}

// readPayload is the inverse of writePayload. ok is false for bytes that writePayload did not write.
func readPayload(p []byte) (sender, seq uint32, at time.Duration, ok bool) {
	if len(p) != payloadSize || string(p[32:]) != filler {
		return 0, 0, 0, false
	}
	words := [4]uint64{}
	for i := range words {
		words[i] = binary.BigEndian.Uint64(p[8*i:])
		if words[i]&letterMask != letters {
			return 0, 0, 0, false
		}
	}
	at = time.Duration(uint64(gather(words[2]))<<32 | uint64(gather(words[3])))
	return gather(words[0]), gather(words[1]), at, true
}

// Eight letters without bits.
const (
	letters    = 0x4040404040404040
	letterMask = 0xf0f0f0f0f0f0f0f0
)

// spread puts each 4 bits into their own byte, by halves.
func spread(v uint32) uint64 {
	x := uint64(v)
	x = (x | x<<16) & 0x0000ffff0000ffff
	x = (x | x<<8) & 0x00ff00ff00ff00ff
	x = (x | x<<4) & 0x0f0f0f0f0f0f0f0f
	return x | letters
}

func gather(x uint64) uint32 {
	x &= 0x0f0f0f0f0f0f0f0f
	x = (x | x>>4) & 0x00ff00ff00ff00ff
	x = (x | x>>8) & 0x0000ffff0000ffff
	return uint32(x | x>>16)
}

// A clock is the time that senders put into messages and listeners compare: CLOCK_MONOTONIC, which all processes of a machine share.
type clock struct {
	base time.Time
	at   time.Duration // what CLOCK_MONOTONIC said then
}

// newClock compares the clock of the runtime, which takes no system call, with that of the kernel. They are the same clock, and the
// closest of some comparisons is within a fraction of a microsecond.
func newClock() *clock {
	var c clock
	for closest, i := time.Duration(math.MaxInt64), 0; i < 64; i++ {
		var ts unix.Timespec
		before := time.Now()
		_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // Linux has this clock
		if took := time.Since(before); took < closest {
			closest = took
			c.base, c.at = before.Add(took/2), time.Duration(ts.Nano())
		}
	}
	return &c
}

func (c *clock) now() time.Duration { return c.at + time.Since(c.base) }

// A tally counts what one listener hears. One goroutine at a time calls hear; the counts may be read by others.
type tally struct {
	*count
	clock     *clock
	next      []uint32        // by sender: the next expected number
	latencies []time.Duration // recorded while there is capacity

	_ [64]byte // tallies are written by different cores
}

func newTally(c *clock, senders int, counts *count) *tally {
	return &tally{count: counts, clock: c, next: make([]uint32, senders)}
}

// recordLatencies makes room for this many.
func (t *tally) recordLatencies(n int) { t.latencies = make([]time.Duration, 0, n) }

func (t *tally) hear(p []byte) {
	sender, seq, at, ok := readPayload(p)
	if !ok || int(sender) >= len(t.next) {
		t.garbled.Add(1)
		return
	}
	if len(t.latencies) < cap(t.latencies) {
		t.latencies = append(t.latencies, t.clock.now()-at)
	}
	if seq < t.next[sender] {
		t.repeated.Add(1)
		return
	}
	t.next[sender] = seq + 1
	t.fresh.Store(t.fresh.Load() + 1) // this goroutine alone writes it
}
