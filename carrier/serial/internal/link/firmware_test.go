package link

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/fault"
	"sighub/carrier/serial/internal/wire"
)

// firmwareReadings is how many readings the C library's devices report over a line that misbehaves.
var firmwareReadings = flag.Int("firmware.readings", 30_000, "readings over a line that misbehaves")

// A chipLine is a hub and a chip in virtual time, in steps of a millisecond, and the line between them.
type chipLine struct {
	t     testing.TB
	rng   *rand.Rand
	start time.Time
	now   time.Time
	hub   *HubEnd
	chip  *chip
	boot  uint32
	dict  *wire.Dictionary

	toHub, toChip *fault.Line
	hears, speaks frameFilter // at the hub's end
	room          float64     // bytes that the chip's transmitter takes by now
	free          time.Time
	damage        func(frame []byte) // may damage a frame of the chip's
	sent          []byte             // the chip's frame that is being sent
	device        *Device

	heard    []int64 // values of readings, in order
	lost     int64   // as told by gaps
	onValue  func(value int64)
	onTime   func(value int64, at time.Time, uncertainty time.Duration)
	before   int  // requests that the chip has executed for others
	asked    int  // requests
	answered int  // by the chip, rightly
	toldLies bool // the chip was told in good frames what the hub does not know
}

const chipSpeed = 11.52 // bytes per millisecond at 115200 bits per second

// newChipLine starts the chip with an empty memory.
func newChipLine(t testing.TB, c *chip, seed uint64, harm fault.Harm) *chipLine {
	l := &chipLine{
		t: t, rng: rand.New(rand.NewPCG(seed, 2)), start: time.Unix(1e9, 0), now: time.Unix(1e9, 0), chip: c,
		damage: func([]byte) {}, onValue: func(int64) {}, onTime: func(int64, time.Time, time.Duration) {}, before: c.executed,
	}
	var err error
	l.dict, err = wire.ParseDictionary([]byte(c.size.dictionary()))
	must(t, err)
	l.seed(seed, harm)
	l.hears.from, l.speaks.from = wire.Device, wire.Hub
	l.hub = l.newHub()
	l.reset(false)
	return l
}

// seed begins the line's misbehaviour anew.
func (l *chipLine) seed(seed uint64, harm fault.Harm) {
	l.rng = rand.New(rand.NewPCG(seed, 2))
	var err error
	l.toHub, err = fault.NewLine(harm, seed)
	must(l.t, err)
	l.toChip, err = fault.NewLine(harm, seed+1)
	must(l.t, err)
}

// newHub returns a hub that knows nothing yet.
func (l *chipLine) newHub() *HubEnd {
	return newTestHub(l, func(c *HubConfig) { c.Random = func() uint16 { return uint16(l.rng.Uint32()) } })
}

// ms is the chip's time.
func (l *chipLine) ms() uint32 { return uint32(l.now.Sub(l.start).Milliseconds()) }

// reset starts the chip anew; what it was sending is lost.
func (l *chipLine) reset(kept bool) {
	l.boot++
	l.sent = nil
	l.chip.begin(kept, l.boot, l.ms())
}

// unplug cuts the line, and plugs it in again at once.
func (l *chipLine) unplug() {
	l.toHub.Cut()
	l.toChip.Cut()
	l.hub.Drop(carrier.ErrUnplugged)
	l.hub.Opened(false)
}

func (l *chipLine) Connected(_ time.Time, _ *HubEnd, d *Device) { l.device = d }

func (l *chipLine) Forgot(*Device) {}

func (l *chipLine) Disconnected(*Device, error) { l.device = nil }

func (l *chipLine) Arrived(now time.Time, d *Device, a Arrival) {
	switch {
	case a.Answered != nil:
		l.answer(int32(a.Answered.ID), wire.UnpackReply(a.Reply))
	case a.Kind == wire.FrameEvent:
		d.Link.Consumed()
		rs, err := d.Readings(now, a, l.dict)
		if errors.Is(err, ErrComesAgain) {
			return
		}
		if err != nil {
			l.t.Fatalf("a frame of readings: %v", err)
		}
		for _, r := range rs {
			l.reading(r)
		}
		d.Link.Answer(a.In, nil)
	default:
		l.t.Fatalf("the chip sends a message: %x", a.Payload)
	}
}

func (l *chipLine) reading(r Reading) {
	if r.Lost > 0 {
		l.lost += int64(r.Lost)
		return
	}
	var value int64
	must(l.t, wire.Scale(r.Value, l.dict.Events[r.Event].Exponent).Decode(&value))
	l.heard = append(l.heard, value)
	l.onValue(value)
	l.onTime(value, r.Time, r.Uncertainty)
}

// ask lets the hub send a request: 1 has its params answered, 2 fails. One that answers none is asked for its dictionary
// from any byte on.
func (l *chipLine) ask() {
	if l.device == nil || len(l.device.Link.out.frames) >= l.device.Link.limits.window {
		return
	}
	l.asked++
	payload := wire.PackFetch(l.offset(int32(l.asked)))
	if !l.chip.size.sendOnly {
		var err error
		payload, err = wire.PackNumbered(1+uint64(l.asked%2), carrier.ValueOf(l.asked))
		must(l.t, err)
	}
	l.device.Link.Send(wire.FrameMessage, uint64(l.asked), payload)
}

// offset is what the request of a number asks a chip for that answers none: up to the end of the dictionary.
func (l *chipLine) offset(id int32) int { return int(id) % (len(l.chip.size.dictionary()) + 1) }

func (l *chipLine) answer(id int32, r carrier.Reply) {
	var got int32
	var piece []byte
	switch err := r.Err(); {
	case l.toldLies:
	case l.chip.size.sendOnly:
		if rest := l.chip.size.dictionary()[l.offset(id):]; err != nil || r.Response.Decode(&piece) != nil ||
			!strings.HasPrefix(rest, string(piece)) || (len(piece) == 0) != (rest == "") {
			l.t.Fatalf("from byte %d on the dictionary is %q, not %q, %v", l.offset(id), rest, piece, err)
		}
	case id%2 == 0 && err == nil && r.Response.Decode(&got) == nil && got == id:
	case id%2 == 1 && r.Status == carrier.StatusFailed && r.Exception == "as you wish":
	default:
		l.t.Fatalf("request %d is answered with %d, %v, %q", id, r.Status, r.Response, r.Exception)
	}
	l.answered++
}

// step lets a millisecond pass.
func (l *chipLine) step() {
	l.now = l.now.Add(time.Millisecond)
	buf := make([]byte, 4096)
	n, _ := l.toChip.Receive(l.now, buf)
	received := l.speaks.pass(l.session(), buf[:n])
	l.room = min(l.room+chipSpeed, 64) // as a transmitter's buffer
	sent := l.chip.run(l.ms(), received, int(l.room))
	l.room -= float64(len(sent))
	for _, b := range sent {
		if l.sent = append(l.sent, b); b == 0 {
			l.hears.sent(l.sent)
			l.damage(l.sent[:len(l.sent)-1])
			l.toHub.Send(l.now, l.sent)
			l.sent = nil
		}
	}
	n, _ = l.toHub.Receive(l.now, buf)
	l.hub.Receive(l.now, l.hears.pass(l.session(), buf[:n]))
	if !l.now.Before(l.free) {
		out, _ := l.hub.Pull(l.now, nil)
		l.free = l.now.Add(time.Duration(float64(len(out)) / chipSpeed * float64(time.Millisecond)))
		l.speaks.sent(out)
		l.toChip.Send(l.now, out)
	}
}

func (l *chipLine) session() uint16 {
	if l.device == nil {
		return 0
	}
	return l.device.Link.session
}

// A frameFilter knows what was sent lately, and removes the damaged frames that look whole: a CRC of 16 bits
// lets one in 65,536 pass.
type frameFilter struct {
	from   wire.End
	known  []string
	in     wire.Deframer
	bad    int  // damaged frames
	fooled int  // of these, those that look whole
	counts bool // and lets them pass
}

func (s *frameFilter) sent(data []byte) {
	for frame := range bytes.SplitSeq(data, []byte{0}) {
		s.known = append(s.known, string(frame))
	}
	if len(s.known) > 1000 {
		s.known = slices.Clone(s.known[500:])
	}
}

func (s *frameFilter) pass(session uint16, data []byte) (passed []byte) {
	s.in.Limit = wire.MaxFrame
	s.in.Feed(data, func(chunk []byte, _ bool) {
		if !slices.Contains(s.known, string(chunk)) {
			s.bad++
			if _, err := wire.ParseFrame(slices.Clone(chunk), s.from, session); err == nil {
				if s.fooled++; !s.counts {
					return
				}
			}
		}
		passed = append(append(passed, chunk...), 0)
	})
	return passed
}

// TestFirmwareLosesNothing: over a line that flips bits, loses, doubles and invents bytes, drops frames and is cut,
// and with resets that leave the chip its memory, every reading that the C library has taken is delivered once and in
// order, what it had no room for is counted, and no request is executed twice.
func TestFirmwareLosesNothing(t *testing.T) {
	harm := fault.Harm{Flip: 1e-4, Drop: 0.01, Lose: 1e-4, Double: 1e-4, Insert: 1e-4, Repeat: 0.005,
		Delay: fault.Range{Max: 3 * time.Millisecond}}
	for i, size := range chipSizes {
		t.Run(size.name, func(t *testing.T) {
			t.Parallel()
			l := newChipLine(t, newChip(t, size), uint64(i)*100+7, harm)
			var value, refused, resets, cuts int64
			for steps := 0; int(value) < *firmwareReadings; steps++ {
				for range 1 + l.rng.IntN(4) {
					if l.chip.report(0, int32(value), l.ms()) {
						value++
					} else {
						refused++
						break
					}
				}
				l.step()
				if l.rng.IntN(20) == 0 {
					l.ask()
				}
				switch l.rng.IntN(5000) {
				case 0:
					if !size.sendOnly {
						resets++
						l.reset(true)
					}
				case 1:
					cuts++
					l.unplug()
				}
			}
			l.settle(value, refused)
			if cuts == 0 || (resets == 0) != size.sendOnly || l.answered < 10 {
				t.Errorf("too little has happened: %d cuts, %d resets, %d answers", cuts, resets, l.answered)
			}
			t.Logf("%d readings once and in order, %d told as lost; %d requests, %d executed, %d answered; %d cuts, %d resets; %d of %d frames bad; %v on the line",
				value, l.lost, l.asked, l.chip.executed, l.answered, cuts, resets, l.hub.Stats.BadFrames, l.hub.Stats.BadFrames+l.hub.Stats.Frames, l.now.Sub(l.start).Round(time.Second))
		})
	}
}

// settle lets a good line bring what is missing, and one reading more, as a loss is told with the next reading that
// finds room. It checks what was heard: each of the readings 0, 1, 2 and so on once, and so many told as lost; and that
// no request was executed twice.
func (l *chipLine) settle(taken, refused int64) {
	l.t.Helper()
	l.seed(1, fault.Harm{})
	deadline := l.now.Add(time.Minute)
	for ; !l.chip.report(0, int32(taken), l.ms()); refused++ {
		if l.now.After(deadline) {
			l.t.Fatal("a minute after the line was mended there is no room for a reading")
		}
		l.step()
	}
	taken++
	l.step() // which tells what waits
	for l.now.Before(deadline) && (l.chip.waiting > 0 || l.lost < refused) {
		l.step()
	}
	if err := counted(l.heard, taken); err != nil {
		l.t.Error(err)
	}
	if l.lost != refused {
		l.t.Errorf("%d readings had no room, gaps tell of %d", refused, l.lost)
	}
	if executed := l.chip.executed - l.before; l.chip.size.sendOnly && executed > 0 ||
		!l.chip.size.sendOnly && (executed > l.asked || executed < l.answered) {
		l.t.Errorf("%d requests, %d executed, %d answered", l.asked, executed, l.answered)
	}
}

// counted checks that the values are 0, 1, 2 and so on to n.
func counted(values []int64, n int64) error {
	for i, v := range values {
		if v != int64(i) {
			return fmt.Errorf("reading %d comes where %d should", v, i)
		}
	}
	if int64(len(values)) != n {
		return errors.New(fmt.Sprint(n, " readings were taken, ", len(values), " were delivered"))
	}
	return nil
}

// TestFirmwareAfterDamage measures how long it takes until a reading is delivered whose frame was damaged, on a line
// that otherwise flips one bit in 10,000.
func TestFirmwareAfterDamage(t *testing.T) {
	for i, size := range chipSizes {
		t.Run(size.name, func(t *testing.T) {
			l := newChipLine(t, newChip(t, size), uint64(i)+1, fault.Harm{Flip: 1e-4})
			damaged := make(map[int64]time.Time) // when the frame with this value ended
			l.damage = func(sent []byte) {
				if l.device == nil || l.rng.IntN(20) > 0 {
					return
				}
				f, err := wire.ParseFrame(slices.Clone(sent), wire.Device, l.device.Link.session)
				if err != nil || f.Kind != wire.FrameEvent {
					return
				}
				rs, _, err := wire.ParseReadings(f.Payload, l.dict, wire.Timeline{Begun: true})
				if err != nil || len(rs) == 0 {
					return
				}
				in := wire.Items{Rest: rs[0].Value}
				value := in.Int("the value", 1<<31)
				if _, again := damaged[value]; !again {
					damaged[value] = l.now
					sent[len(sent)-1-l.rng.IntN(3)] ^= 1 << l.rng.IntN(8)
				}
			}
			var took []time.Duration
			l.onValue = func(value int64) {
				if at, ok := damaged[value]; ok {
					took = append(took, l.now.Sub(at))
				}
			}
			for value := int32(0); len(took) < 500; {
				if l.rng.IntN(8) == 0 && l.chip.report(0, value, l.ms()) {
					value++
				}
				l.step()
				if l.now.Sub(l.start) > 10*time.Minute {
					t.Fatalf("after ten minutes %d readings are late", len(took))
				}
			}
			slices.Sort(took)
			t.Logf("%s: a reading in a damaged frame is delivered after %v (median), %v (p99), %v (most)", size.name,
				took[len(took)/2], took[len(took)*99/100], took[len(took)-1])
			if p99 := took[len(took)*99/100]; p99 > 60*time.Millisecond {
				t.Errorf("p99 is %v", p99)
			}
		})
	}
}

// TestFirmwareOnTheWire: what a reading takes on the line, with its time and its share of the frame.
func TestFirmwareOnTheWire(t *testing.T) {
	for _, c := range []struct {
		name            string
		readings, every int // so many in a frame, taken so many milliseconds apart
		most            float64
	}{{"alone, one a second", 1, 1000, 11}, {"in a batch of 8", 8, 20, 6.2}} {
		l := newChipLine(t, newChip(t, chipSizes[0]), 1, fault.Harm{})
		for len(l.heard) == 0 { // the first one tells the time as well
			l.chip.report(0, 500, l.ms())
			l.step()
		}
		for l.chip.waiting > 0 {
			l.step()
		}
		bytes := 0
		l.damage = func(sent []byte) {
			if f, err := wire.ParseFrame(slices.Clone(sent), wire.Device, l.session()); err == nil && f.Kind == wire.FrameEvent {
				bytes += len(sent) + 1
			}
		}
		const frames = 20
		for before := len(l.heard); len(l.heard) < before+frames*c.readings; {
			taken := l.ms()
			for range c.every * c.readings {
				l.step()
			}
			for i := range c.readings {
				l.chip.report(0, int32(500+i), taken+uint32(i*c.every))
			}
			l.step()
		}
		each := float64(bytes) / float64(frames*c.readings)
		t.Logf("a reading %s: %.2f bytes", c.name, each)
		if each > c.most {
			t.Errorf("a reading %s takes %.2f bytes, more than %v", c.name, each, c.most)
		}
	}
}

// FuzzFirmware: whatever reaches either end, the C library neither breaks a rule of C nor loses a reading.
func FuzzFirmware(f *testing.F) {
	f.Add([]byte{0x02, 0xf8, 0x02, 0x23, 0, 1, 2, 3, 0x08, 0x0e, 0xf8, 0x06, 0xf8, 0x16, 0xf8})
	f.Add([]byte{0xf8, 0xf8, 0x02, 0x05, 0x60, 1, 3, 0xf8, 0x02, 0x05, 0x20, 1, 0x80, 0xf8, 0x07})
	for _, p := range []byte{0x00, 0x40, 0x60, 0x80, 0xa0, 0xc0} { // each kind of frame, with some payload
		f.Add([]byte{0xf8, 0xf8, 0xf8, 0xf8, 0x02, 0x2d, p, 0x00, 0x18, 0x20, 0x1a, 0xff, 0xf8})
	}
	c := newChip(f, chipSizes[0])
	f.Fuzz(func(t *testing.T, script []byte) {
		l := newChipLine(t, c, 1, fault.Harm{})
		var taken, refused int64
		take := func(n int) []byte {
			n = min(n, len(script))
			b := script[:n]
			script = script[n:]
			return b
		}
		for len(script) > 0 {
			op := take(1)[0]
			many := int(op >> 3)
			switch op & 7 {
			case 0, 1:
				for range 8 * many {
					l.step()
				}
			case 2:
				if l.chip.report(0, int32(taken), l.ms()) {
					taken++
				} else {
					refused++
				}
			case 3:
				l.toChip.Send(l.now, append(slices.Clone(take(many)), 0))
				l.speaks.sent(take(0))
			case 4:
				l.hub.Receive(l.now, take(many))
			case 5:
				l.toldLies = true
				head, payload := take(1), take(many)
				if len(head) > 0 {
					forged := wire.AppendFrame(nil, wire.Hub, l.session(), wire.Frame{Kind: wire.FrameType(head[0] >> 5), Number: head[0] & 31, Payload: payload})
					l.speaks.sent(forged)
					l.toChip.Send(l.now, forged)
				}
			case 6:
				if many&1 == 0 {
					l.reset(true)
				} else {
					l.unplug()
				}
			case 7:
				l.ask()
			}
		}
		if !l.toldLies {
			l.settle(taken, refused)
		}
	})
}
