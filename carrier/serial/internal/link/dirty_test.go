package link

import (
	"errors"
	"flag"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/fault"
	"sighub/carrier/serial/internal/wire"
)

var dirtyReadings = flag.Int("dirty.readings", 20_000, "readings over a dirty line")

// dirt is what a dirty line does: it loses one byte in 1,000, flips a bit in one of 500, and adds one for 2,000.
var dirt = fault.Harm{Lose: 1e-3, Flip: 2e-3 / 8, Insert: 5e-4}

// A dirtyDevice is a device on a dirty line, in virtual time.
type dirtyDevice interface {
	// step gives the device what has arrived, and returns what it sends: no more than room bytes.
	step(now time.Time, arrived []byte, room int) []byte
	// take reports whether there is room for a reading.
	take(now time.Time, value int) bool
	// left reports whether a reading is not acknowledged.
	left() bool
}

// A dirtyChip is the C library's device.
type dirtyChip struct {
	*chip
	start time.Time
}

func (c *dirtyChip) ms(now time.Time) uint32 { return uint32(now.Sub(c.start).Milliseconds()) }
func (c *dirtyChip) step(now time.Time, arrived []byte, room int) []byte {
	return c.run(c.ms(now), arrived, room)
}
func (c *dirtyChip) take(now time.Time, value int) bool { return c.report(0, int32(value), c.ms(now)) }
func (c *dirtyChip) left() bool                         { return c.waiting > 0 }

// A dirtySim is the device of this package.
type dirtySim struct {
	*simDevice
	now    time.Time
	unsent []byte
}

func (s *dirtySim) step(now time.Time, arrived []byte, room int) []byte {
	s.now = now
	s.Receive(now, arrived)
	if len(s.unsent) == 0 {
		s.unsent, _ = s.Pull(now, nil)
	}
	for _, e := range s.events {
		s.waiting -= len(e.readings)
	}
	s.events = nil
	sent := s.unsent[:min(room, len(s.unsent))]
	s.unsent = s.unsent[len(sent):]
	return sent
}

func (s *dirtySim) take(_ time.Time, value int) bool {
	if s.waiting == simRoom {
		return false
	}
	s.simDevice.take(int64(value), nil)
	return true
}

func (s *dirtySim) left() bool { return s.waiting > 0 }

// A dirtyHub is the hub's end, and its owner.
type dirtyHub struct {
	t      *testing.T
	dict   *wire.Dictionary
	device *Device
	heard  []int
}

func (h *dirtyHub) Connected(_ time.Time, _ *HubEnd, d *Device) { h.device = d }
func (h *dirtyHub) Forgot(*Device)                              {}
func (h *dirtyHub) Disconnected(*Device, error)                 { h.device = nil }
func (h *dirtyHub) Arrived(now time.Time, d *Device, a Arrival) {
	if a.In == nil {
		return
	}
	d.Link.Consumed()
	if a.Kind != wire.FrameEvent {
		d.Link.Answer(a.In, wire.PackReply(carrier.Failed(errors.New("not expected")), 50))
		return
	}
	readings, err := d.Readings(now, a, h.dict)
	switch {
	case errors.Is(err, ErrComesAgain):
		return
	case err != nil:
		h.t.Errorf("a frame is refused: %v", err)
	}
	for _, r := range readings {
		var value int
		if r.Lost == 0 {
			must(h.t, wire.Scale(r.Value, h.dict.Events[r.Event].Exponent).Decode(&value))
			h.heard = append(h.heard, value)
		}
	}
	d.Link.Answer(a.In, nil)
}

// TestDirtyLine: over a line that loses, flips and adds bytes in both directions, 500 readings per second arrive once and in
// order. Nothing takes out the damaged frames that a CRC of 16 bits lets pass: these are counted, and each may spoil the
// readings of a frame.
func TestDirtyLine(t *testing.T) {
	ring := []string{"SIGHUB_RING=16000"}
	for i, c := range []struct {
		name string
		size *chipSize // nil: the device of this package
	}{
		{"Go, window 4, frames of 254", nil},
		{"C library, window 1, frames of 60", &chipSize{"", ring, 1, false}},
		{"C library, window 4, frames of 60, answering no requests", &chipSize{"", append([]string{"SIGHUB_WINDOW=4", "SIGHUB_REQUESTS=0"}, ring...), 4, true}},
		{"C library, window 8, frames of 254", &chipSize{"", append([]string{"SIGHUB_WINDOW=8", "SIGHUB_FRAME=254"}, ring...), 8, false}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			now := time.Unix(1e9, 0)
			owner := &dirtyHub{t: t}
			var device dirtyDevice
			if c.size == nil {
				s := &dirtySim{now: now}
				s.simDevice = newSimDevice(func() time.Time { return s.now }, 4, wire.DefaultFrame)
				s.Opened(now, false)
				device, owner.dict = s, s.dict
			} else {
				ch := newChip(t, *c.size)
				ch.begin(false, 1, 0)
				device = &dirtyChip{ch, now}
				var err error
				owner.dict, err = wire.ParseDictionary([]byte(c.size.dictionary()))
				must(t, err)
			}
			serveDirtyLine(t, owner, device, uint64(i), now)
		})
	}
}

func serveDirtyLine(t *testing.T, owner *dirtyHub, device dirtyDevice, seed uint64, start time.Time) {
	hub := newTestHub(owner, nil)
	toHub, err := fault.NewLine(dirt, 2*seed+1)
	must(t, err)
	toDevice, err := fault.NewLine(dirt, 2*seed+2)
	must(t, err)
	var hears, speaks frameFilter
	hears.from, speaks.from, hears.counts, speaks.counts = wire.Device, wire.Hub, true, true
	session := func() uint16 {
		if owner.device == nil {
			return 0
		}
		return owner.device.Link.session
	}
	taken, full, room := 0, 0, 0.0
	buf, now, free := make([]byte, 4096), start, start
	var sending []byte
	for deadline := start.Add(time.Duration(*dirtyReadings)*2*time.Millisecond + time.Minute); taken < *dirtyReadings || device.left(); {
		if now = now.Add(time.Millisecond); now.After(deadline) {
			t.Fatalf("%d readings are taken, %d heard", taken, len(owner.heard))
		}
		if want := min(int(now.Sub(start)/(2*time.Millisecond)), *dirtyReadings); taken < want {
			if device.take(now, taken) {
				taken++
			} else {
				full++
			}
		}
		n, _ := toDevice.Receive(now, buf)
		arrived := speaks.pass(session(), buf[:n])
		room = min(room+chipSpeed, 64)
		sent := device.step(now, arrived, int(room))
		room -= float64(len(sent))
		for _, b := range sent {
			if sending = append(sending, b); b == 0 {
				hears.sent(sending)
				toHub.Send(now, sending)
				sending = sending[:0]
			}
		}
		n, _ = toHub.Receive(now, buf)
		hub.Receive(now, hears.pass(session(), buf[:n]))
		if !now.Before(free) {
			out, _ := hub.Pull(now, nil)
			free = now.Add(time.Duration(float64(len(out)) / chipSpeed * float64(time.Millisecond)))
			speaks.sent(out)
			toDevice.Send(now, out)
		}
	}
	wrong, times := 0, make([]int, taken)
	for i, v := range owner.heard {
		if v < 0 || v >= taken {
			wrong++
			continue
		}
		if times[v]++; i > 0 && v <= owner.heard[i-1] {
			wrong++
		}
	}
	for _, n := range times {
		if n != 1 {
			wrong++
		}
	}
	bad, passed := hears.bad+speaks.bad, hears.fooled+speaks.fooled
	t.Logf("%d readings in %v, %d of them wrong, lost, doubled or out of order; the ring was full %d times; %d damaged frames, of which the CRC let %d pass; %d made no sense; to the hub %v; to the device %v",
		taken, now.Sub(start).Round(time.Second), wrong, full, bad, passed, owner.device.Link.Stats.Doubted, toHub.Stats(), toDevice.Stats())
	if full > 0 {
		t.Errorf("the line was too slow: there was no room for a reading %d times", full)
	}
	if passed == 0 && wrong > 0 || wrong > 50*passed {
		t.Errorf("%d readings are wrong, lost, doubled or out of order", wrong)
	}
	if limit := 3 + bad>>14; passed > limit { // of few frames chance may let more pass than one in 65,536
		t.Errorf("the CRC let %d of %d damaged frames pass", passed, bad)
	}
}
