package link

import (
	"bytes"
	"encoding/binary"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/fault"
	"sighub/carrier/serial/internal/wire"
)

// A movedChip is a chip whose line is plugged here and there. It knows when each reading was taken.
type movedChip struct {
	*chipLine
	taken []time.Time // readings 0, 1, 2 and so on
}

func newMovedChip(t *testing.T, c *chip) *movedChip {
	v := &movedChip{chipLine: newChipLine(t, c, 5, fault.Harm{})}
	v.onTime = func(value int64, at time.Time, uncertainty time.Duration) {
		if off := at.Sub(v.taken[value]).Abs(); off > uncertainty+2*time.Millisecond {
			t.Errorf("%s: reading %d is off by %v, though sure to %v", c.size.name, value, off, uncertainty)
		}
	}
	return v
}

// report takes a reading, and returns false if there was no room.
func (v *movedChip) report() bool {
	ok := v.chip.report(0, int32(len(v.taken)), v.ms())
	if ok {
		v.taken = append(v.taken, v.now)
	}
	return ok
}

func (v *movedChip) steps(n int) {
	for range n {
		v.step()
	}
}

// alone lets milliseconds pass on a line with nobody at the other end.
func (v *movedChip) alone(ms int) {
	for range ms {
		v.now = v.now.Add(time.Millisecond)
		v.chip.run(v.ms(), nil, 64)
	}
}

// asleep lets time pass in which the chip does nothing, and its clock stands still.
func (v *movedChip) asleep(d time.Duration) {
	v.now, v.start = v.now.Add(d), v.start.Add(d)
	v.hub.Pull(v.now, nil)
}

func (v *movedChip) allHeard(t *testing.T) {
	t.Helper()
	slices.Sort(v.heard) // two hubs heard them
	if err := counted(v.heard, int64(len(v.taken))); err != nil || v.chip.waiting > 0 {
		t.Errorf("%s: of %d readings: %v; %d bytes wait", v.chip.size.name, len(v.taken), err, v.chip.waiting)
	}
}

// TestTwoHubs: a device is plugged from one hub into another, and back again, without a reset. Whatever numbers it has come
// to by then, each reading is heard once, with its time.
func TestTwoHubs(t *testing.T) {
	for _, size := range []chipSize{chipSizes[0], chipSizes[2]} {
		c := newChip(t, size)
		for there := 1; there <= wire.FrameNumbers; there += size.window/4 + 1 { // as many as may be in flight
			v := newMovedChip(t, c)
			first, second := v.hub, v.newHub()
			v.steps(700)
			v.report()
			v.steps(50)
			v.unplug()
			v.hub = second
			for i := range there {
				v.report()
				v.steps(20)
				if i == 0 {
					v.steps(1000) // which makes the hub ask for HELLO
				}
			}
			v.unplug()
			v.report() // it is in flight, to nobody, when the device says HELLO
			v.alone(20)
			v.hub = first
			v.steps(2500)
			v.report()
			v.steps(100)
			v.allHeard(t)
		}
	}
}

// TestEcho: a device that hears itself, as on a cable whose other end is in the air, takes nothing of that for an answer.
func TestEcho(t *testing.T) {
	for _, size := range chipSizes {
		v := newMovedChip(t, newChip(t, size))
		v.steps(700)
		for range 5 {
			v.report()
			v.steps(20)
		}
		v.unplug()
		refused := 0
		var echo []byte
		for i := range 6000 {
			v.now = v.now.Add(time.Millisecond)
			if i%100 == 0 && !v.report() {
				refused++
			}
			echo = v.chip.run(v.ms(), echo, 11)
		}
		v.unplug()
		v.steps(6000)
		v.report()
		v.steps(200)
		v.allHeard(t)
		if int(v.lost) != refused {
			t.Errorf("%s: %d readings had no room, and %d are told", size.name, refused, v.lost)
		}
	}
}

// TestSleep: the clock of a chip stands still while it sleeps, and it reports when it wakes.
func TestSleep(t *testing.T) {
	for _, size := range chipSizes {
		v := newMovedChip(t, newChip(t, size))
		v.steps(5000)
		for range 3 {
			v.report()
			v.steps(6000)
			v.asleep(4 * time.Second) // the hub finds that out
			v.asleep(time.Hour)
		}
		v.allHeard(t)
	}
}

// TestSlowHello: the hub reads nothing for half a minute, in which a device that hears nothing says HELLO again and again;
// then all of that comes at once. The clock did not stand still.
func TestSlowHello(t *testing.T) {
	for _, size := range chipSizes {
		v := newMovedChip(t, newChip(t, size))
		v.steps(5000)
		v.report()
		v.steps(100)
		var unread []byte
		for i := range 30_000 {
			v.now = v.now.Add(time.Millisecond)
			if i%10_000 == 5000 {
				v.report()
			}
			unread = append(unread, v.chip.run(v.ms(), nil, 64)...)
		}
		v.hub.Receive(v.now, unread)
		v.steps(4000)
		v.allHeard(t)
		if n := len(v.hub.devices.byID[v.device.ID].earlier); n != 0 {
			t.Errorf("%s: %d eras", size.name, n)
		}
	}
}

// TestHeldInReset: with the cable off, a chip is held in reset, keeps its memory, and takes readings before it has said
// HELLO to anybody.
func TestHeldInReset(t *testing.T) {
	for _, size := range chipSizes {
		if size.sendOnly {
			continue // it keeps nothing
		}
		v := newMovedChip(t, newChip(t, size))
		v.steps(5000)
		v.report()
		v.steps(100)
		v.unplug()
		v.report()
		v.alone(1000)
		v.asleep(10 * time.Second)
		v.reset(true)
		v.alone(1000)
		v.report()
		v.alone(2000)
		v.unplug()
		v.steps(2000)
		v.report()
		v.steps(200)
		v.allHeard(t)
	}
}

// TestHelloFlood: however many devices, or starts of one, a line pretends to, the hub meets few of them.
func TestHelloFlood(t *testing.T) {
	for _, flood := range []func(h *wire.Hello, n uint32){
		func(h *wire.Hello, n uint32) { h.UID = binary.BigEndian.AppendUint32(nil, n) },
		func(h *wire.Hello, n uint32) { h.UID = []byte{byte(n % 2)} },
		func(h *wire.Hello, n uint32) { h.Boot = n },
	} {
		v := newMovedChip(t, newChip(t, chipSizes[0]))
		met := 0
		v.hub.owner = counter{v.chipLine, &met}
		for n := range uint32(2000) {
			v.now = v.now.Add(time.Millisecond)
			h := wire.Hello{UID: []byte{1}, ReceiveWindow: wire.MinFrame, MaxFrame: wire.MinFrame, Window: 1, TicksPerSecond: 1000}
			flood(&h, n)
			v.hub.Receive(v.now, wire.AppendFrame([]byte{0}, wire.Device, wire.CRCStart, wire.Frame{Kind: wire.FrameHello, Payload: h.Pack()}))
			v.hub.Pull(v.now, nil)
		}
		if most := int(2*time.Second/meetEvery) + 1; met < 1 || met > most {
			t.Errorf("%d devices were met in 2 s, not 1 to %d", met, most)
		}
	}
}

// TestDeaf: that a device hears nothing is logged once.
func TestDeaf(t *testing.T) {
	v := newMovedChip(t, newChip(t, chipSizes[0]))
	log := new(bytes.Buffer)
	v.hub.Log = slog.New(slog.NewTextHandler(log, nil))
	for range 20000 {
		v.now = v.now.Add(time.Millisecond)
		v.hub.Receive(v.now, v.chip.run(v.ms(), nil, 11))
		v.hub.Pull(v.now, nil)
	}
	if n := strings.Count(log.String(), "check the wire to its receiver"); n != 1 || v.hub.LastError.Err == nil {
		t.Errorf("told %d times:\n%s", n, log.String())
	}
}

// A counter counts connections.
type counter struct {
	HubOwner
	met *int
}

func (c counter) Connected(time.Time, *HubEnd, *Device) { *c.met++ }

func (counter) Disconnected(*Device, error) {}

// TestReplyIsKept: a reply that is lost with its session is repeated in the next one, also by a device that has reported
// nothing, so that the hub knows none of its numbers.
func TestReplyIsKept(t *testing.T) {
	s := newSim(t, 3, 0)
	s.prompt = true
	run := func(d time.Duration) {
		for end := s.now.Add(d); s.now.Before(end); {
			s.step()
		}
	}
	run(3 * time.Second)
	for n := 1; n <= 4; n++ {
		s.asked++
		payload, err := wire.PackMessage(&carrier.Message{Method: "x", Params: carrier.ValueOf(s.asked)})
		must(t, err)
		s.connected.Link.Send(wire.FrameMessage, uint64(s.asked), payload)
		for len(s.requests) < n {
			s.step()
		}
		s.toHub.flight = nil
		s.device.sayHello(s.now)
		run(5 * time.Second)
		if s.ended != n || len(s.requests) != n {
			t.Fatalf("of %d requests %d were executed and %d answered", n, len(s.requests), s.ended)
		}
	}
}
