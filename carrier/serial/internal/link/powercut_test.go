package link

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"sighub/carrier/serial/fault"
	"sighub/carrier/serial/internal/wire"
)

var cutReadings = flag.Int("cut.readings", 2_000, "readings that hubs take whose power is cut")

// A cutHub is a hub that commits what a chip has reported, with the state of its link, and answers after that. A power cut leaves
// what was committed, and nothing else.
type cutHub struct {
	line    *cutLine
	end     *HubEnd
	devices *Devices
	device  *Device
	log     *bytes.Buffer

	// What lasts.
	heard []int64
	lost  int64
	state []byte

	queue   []cutArrival // not dealt with yet
	busy    time.Time    // until then the hub deals with nothing
	waiting []cutCommit
	slow    time.Duration // longest time until a commit

	failing bool    // the disk has failed: everything is answered, and nothing is kept
	unkept  []int64 // what was answered and not kept
}

// A cutArrival is a frame with which the hub deals some time after it has come.
type cutArrival struct {
	Arrival
	device *Device
	at     time.Time
}

// A cutCommit is what is committed at some time, at once or not at all.
type cutCommit struct {
	at    time.Time
	heard []int64
	lost  int64
	state []byte
	then  func()
}

// A cutLine is a chip whose hubs lose their power.
type cutLine struct {
	*movedChip
	hubs    []*cutHub
	at      *cutHub // where it is plugged in
	machine uint64
	cuts    int
	repeats int // cuts after which the chip had frames that were committed and not answered
}

func newCutLine(t *testing.T, c *chip, seed uint64, harm fault.Harm, hubs int, slow time.Duration) *cutLine {
	l := &cutLine{movedChip: newMovedChip(t, c), machine: 1}
	l.chipLine.seed(seed, harm)
	for range hubs {
		h := &cutHub{line: l, slow: slow, log: new(bytes.Buffer)}
		h.start()
		l.hubs = append(l.hubs, h)
	}
	l.plug(l.hubs[0])
	return l
}

// start starts the hub with what has lasted.
func (h *cutHub) start() {
	h.device, h.queue, h.waiting = nil, nil, nil
	h.devices = &Devices{
		Recall: func(string) []byte { return h.state },
		Uptime: Uptime{Machine: h.line.machine, At: func(t time.Time) time.Duration { return t.Sub(time.Unix(1e9-1000, 0)) }},
	}
	h.end = NewHubEnd(HubConfig{Name: "test", Baud: wire.DefaultBaud, MaxBaud: 1e6, MaxFrame: wire.DefaultFrame, Window: wire.MaxWindow,
		Ask: time.Second, Timeout: 3 * time.Second, Random: func() uint16 { return uint16(h.line.rng.Uint32()) }, Wake: func() {},
		Log: slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelWarn}))}, h.devices, h)
	h.end.Opened(false)
}

func (h *cutHub) Connected(_ time.Time, _ *HubEnd, d *Device) { h.device, h.line.device = d, d }
func (h *cutHub) Forgot(*Device)                              {}
func (h *cutHub) Disconnected(*Device, error)                 { h.device, h.line.device = nil, nil }

func (h *cutHub) Arrived(now time.Time, d *Device, a Arrival) {
	if a.Answered != nil || a.Kind != wire.FrameEvent {
		h.line.chipLine.Arrived(now, d, a)
		return
	}
	h.queue = append(h.queue, cutArrival{a, d, now})
}

// work deals with some of the frames that have arrived.
func (h *cutHub) work(now time.Time) {
	if h.line.rng.IntN(100) == 0 {
		h.busy = now.Add(time.Duration(h.line.rng.IntN(150)) * time.Millisecond)
	}
	for len(h.queue) > 0 && now.After(h.busy) && h.line.rng.IntN(8) > 0 {
		a := h.queue[0]
		h.queue = h.queue[1:]
		a.device.Link.Consumed()
		if !a.In.Abandoned {
			h.deal(now, a)
		}
	}
}

func (h *cutHub) deal(now time.Time, a cutArrival) {
	d := a.device
	rs, err := d.Readings(a.at, a.Arrival, h.line.dict)
	if errors.Is(err, ErrComesAgain) {
		return
	}
	must(h.line.t, err)
	d.Settle(a.In)
	if h.failing {
		d.Stray()
	} else {
		d.Kept()
	}
	c := cutCommit{state: d.State(now, []byte("own")), then: func() { d.Link.Answer(a.In, nil) }}
	for _, r := range rs {
		if r.Lost > 0 {
			c.lost += int64(r.Lost)
			continue
		}
		var value int64
		must(h.line.t, wire.Scale(r.Value, h.line.dict.Events[r.Event].Exponent).Decode(&value))
		c.heard = append(c.heard, value)
		h.line.onTime(value, r.Time, r.Uncertainty)
	}
	c.at = now.Add(time.Duration(h.line.rng.Int64N(int64(h.slow) + 1)))
	if n := len(h.waiting); n > 0 {
		c.at = latest(c.at, h.waiting[n-1].at)
	}
	h.waiting = append(h.waiting, c)
}

// commit commits what is due.
func (h *cutHub) commit(now time.Time) {
	for len(h.waiting) > 0 && !h.waiting[0].at.After(now) {
		c := h.waiting[0]
		h.waiting = h.waiting[1:]
		if h.failing {
			h.unkept = append(h.unkept, c.heard...)
		} else {
			h.keep(c)
		}
		c.then()
	}
}

func (h *cutHub) keep(c cutCommit) {
	h.heard, h.lost, h.state = append(h.heard, c.heard...), h.lost+c.lost, c.state
}

// plug plugs the chip into a hub.
func (l *cutLine) plug(h *cutHub) {
	l.toHub.Cut()
	l.toChip.Cut()
	if l.at != nil {
		l.at.end.Drop(errors.New("unplugged"))
	}
	l.at, l.hub = h, h.end
	h.end.Opened(false)
}

// cut kills the hub: some of what it was committing is on record, and none of that is answered. After some time without a hub it
// is started again.
func (l *cutLine) cut(off int) {
	h := l.at
	l.cuts++
	committed := l.rng.IntN(len(h.waiting) + 1)
	for _, c := range h.waiting[:committed] {
		h.keep(c)
	}
	if committed > 0 {
		l.repeats++
	}
	if l.rng.IntN(2) == 0 {
		l.machine++ // the whole machine, and its clock
	}
	l.device = nil
	h.start()
	l.hub = h.end
	l.toHub.Cut()
	l.toChip.Cut()
	l.alone(off)
}

func (l *cutLine) tick() {
	for _, h := range l.hubs {
		h.work(l.now)
		h.commit(l.now)
	}
	l.step()
}

// check checks that the hubs have each reading once, each hub in order, and that all losses are told.
func (l *cutLine) check(refused int64) {
	l.t.Helper()
	var all []int64
	lost := int64(0)
	for i, h := range l.hubs {
		if !slices.IsSorted(h.heard) {
			l.t.Errorf("hub %d has readings out of order", i)
		}
		all, lost = append(all, h.heard...), lost+h.lost
		if h.log.Len() > 0 {
			l.t.Errorf("hub %d says: %s", i, h.log.String())
		}
	}
	slices.Sort(all)
	if err := counted(all, int64(len(l.taken))); err != nil {
		l.t.Error(err)
	}
	if lost != refused {
		l.t.Errorf("%d readings had no room, %d are told as lost", refused, lost)
	}
}

// settled lets everything arrive.
func (l *cutLine) settled(refused int64) int64 {
	l.t.Helper()
	l.chipLine.seed(1, fault.Harm{})
	deadline := l.now.Add(2 * time.Minute)
	for !l.report() {
		refused++
		l.tick()
	}
	l.tick() // which tells what waits
	told := func() (n int64) {
		for _, h := range l.hubs {
			n += h.lost
		}
		return n
	}
	for l.now.Before(deadline) && (l.chip.waiting > 0 || told() < refused) {
		l.tick()
	}
	if l.chip.waiting > 0 {
		l.t.Errorf("%d bytes of readings wait: the device hangs", l.chip.waiting)
	}
	return refused
}

// TestPowerCuts: hubs are killed and lose their power at any moment, on a line that damages what it carries, with a chip that is
// reset, sleeps and is moved from one hub to another. Each reading is on record once and in order, with a time that is as right as
// is said, and what the chip had no room for is told exactly.
func TestPowerCuts(t *testing.T) {
	harm := fault.Harm{Flip: 1e-4, Drop: 0.01, Lose: 1e-4, Double: 1e-4, Insert: 1e-4, Repeat: 0.005,
		Delay: fault.Range{Max: 3 * time.Millisecond}}
	for i, size := range chipSizes {
		for j, c := range []struct {
			slow time.Duration
			hubs int
		}{{20 * time.Millisecond, 1}, {time.Second, 1}, {50 * time.Millisecond, 2}} {
			t.Run(fmt.Sprint(size.name, ", commits within ", c.slow, ", hubs ", c.hubs), func(t *testing.T) {
				t.Parallel()
				l := newCutLine(t, newChip(t, size), uint64(10*i+j), harm, c.hubs, c.slow)
				refused := int64(0)
				for end := l.now.Add(time.Duration(*cutReadings) * 90 * time.Millisecond); len(l.taken) < *cutReadings && l.now.Before(end); {
					for range 1 + l.rng.IntN(4) {
						if l.rng.IntN(20) == 0 && !l.report() {
							refused++
						}
					}
					l.tick()
					l.misfortune(size)
				}
				l.check(l.settled(refused))
				if l.cuts < *cutReadings/300 || l.repeats == 0 {
					t.Errorf("too little has happened: %d cuts, %d with frames to be answered again", l.cuts, l.repeats)
				}
				t.Logf("%d readings, %d told as lost, %d cuts, %d with frames to be answered again, %v", len(l.taken), refused, l.cuts, l.repeats,
					l.now.Sub(l.start).Round(time.Second))
			})
		}
	}
}

// misfortune lets something happen now and then.
func (l *cutLine) misfortune(size chipSize) {
	if l.rng.IntN(20) == 0 {
		l.ask()
	}
	switch l.rng.IntN(2500) {
	case 0, 1, 2:
		off := 0
		if l.rng.IntN(3) == 0 {
			off = l.rng.IntN(3000)
		}
		l.cut(off)
		if !size.sendOnly && l.rng.IntN(4) == 0 {
			l.reset(true)
		}
	case 3:
		if !size.sendOnly {
			l.reset(true)
		}
	case 4:
		// What one hub has committed and not answered, another hub cannot know.
		if l.chip.waiting == 0 {
			l.plug(l.hubs[l.rng.IntN(len(l.hubs))])
		} else {
			l.plug(l.at)
		}
	}
}

// TestResetAndPowerCut: a chip takes readings while nobody listens, its clock stands still, and it is reset and keeps its memory. Then
// the hub is killed in the middle of what has waited. The times of the rest are right, as far as is said.
func TestResetAndPowerCut(t *testing.T) {
	for _, size := range chipSizes {
		if size.sendOnly {
			continue // it keeps nothing
		}
		for _, c := range []struct {
			name          string
			before, after uint64 // further starts of the machine, before the reset is heard of and in the middle
		}{{"killed", 0, 0}, {"power cut", 0, 1}, {"power cut before", 1, 0}, {"power cut twice", 1, 1}} {
			t.Run(size.name+", "+c.name, func(t *testing.T) {
				l := newCutLine(t, newChip(t, size), 3, fault.Harm{}, 1, 5*time.Millisecond)
				right := l.onTime
				l.onTime = func(value int64, at time.Time, uncertainty time.Duration) {
					if right(value, at, uncertainty); uncertainty > time.Minute {
						t.Errorf("reading %d is sure to %v", value, uncertainty)
					}
				}
				ticks := func(n int) {
					for range n {
						l.tick()
					}
				}
				ticks(4000)
				l.report()
				ticks(3000)
				l.cut(500)
				l.machine += c.before
				refused := int64(0)
				for len(l.taken) < 200 && refused == 0 { // until the ring is full
					if !l.report() {
						refused++
					}
					l.alone(150)
				}
				taken := len(l.taken)
				l.asleep(10 * time.Second)
				l.reset(true)
				h := l.at
				h.start()
				l.hub = h.end
				for deadline := l.now.Add(5 * time.Second); len(h.heard) < 2; l.tick() {
					if l.now.After(deadline) {
						t.Fatal("nothing is heard")
					}
				}
				if len(h.heard) == taken {
					t.Fatalf("all of %d readings come at once", taken)
				}
				l.device = nil
				l.machine += c.after
				h.start()
				l.hub = h.end
				ticks(4000)
				l.check(l.settled(refused))
			})
		}
	}
}

// TestDiskFails: the disk of a hub fails, and the hub answers for what it does not keep, for any number of frames; then it is killed, or
// the disk works again and it is killed later. What is on record is there once, and of what is not on record everything was answered: no
// number of the older state is taken for one of the device's.
func TestDiskFails(t *testing.T) {
	for _, size := range []chipSize{chipSizes[0], chipSizes[2]} {
		c := newChip(t, size)
		for _, mended := range []bool{false, true} {
			for frames := 1; frames <= 75; frames++ {
				// It takes some 30 readings until the device has new numbers.
				if every := frames >= 30 && size.window == 1 && !mended; !every && frames%13 != 1 {
					continue
				}
				l := newCutLine(t, c, 3, fault.Harm{}, 1, 5*time.Millisecond)
				h := l.at
				report := func(n int) {
					for range n {
						l.report()
						for range 20 { // one frame each
							l.tick()
						}
					}
				}
				for range 1000 {
					l.tick()
				}
				report(5)
				h.failing = true
				report(frames)
				if mended {
					h.failing = false
					report(frames)
				}
				l.report()
				l.tick() // a frame is on its way
				l.device, h.failing = nil, false
				h.start()
				l.hub = h.end
				report(100)
				for range 3000 {
					l.tick()
				}
				if !slices.IsSorted(h.heard) || l.chip.waiting > 0 {
					t.Errorf("%s, %d frames, mended %t: on record are %v; %d bytes wait", size.name, frames, mended, h.heard, l.chip.waiting)
				}
				all := slices.Concat(h.heard, h.unkept)
				slices.Sort(all)
				if len(slices.Compact(slices.Clone(h.heard))) != len(h.heard) || len(slices.Compact(all)) != len(l.taken) {
					t.Errorf("%s, %d frames, mended %t: of %d readings are on record %v, and answered without that %v", size.name, frames, mended,
						len(l.taken), h.heard, h.unkept)
				}
			}
		}
	}
}
