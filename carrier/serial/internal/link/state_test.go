package link

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/wire"
)

// testUptime is the clock of a machine that was started before the epoch of these tests.
var testUptime = Uptime{Machine: 7, At: func(t time.Time) time.Duration { return t.Sub(epoch.Add(-time.Hour)) }}

// stateHello is the HELLO of the devices of these tests.
var stateHello = wire.Hello{UID: []byte{1}, Boot: 3, Dictionary: 5, TicksPerSecond: 1000, MaxFrame: 60, Window: 8, ReceiveWindow: 60}

// knownDevice returns a device whose clock is known, and whose frames up to n-1 are settled and answered as done.
func knownDevice(ds *Devices, n int) *Device {
	d := ds.add(stateHello)
	d.Hello, d.session = stateHello, 0x1234
	for i := range 40 {
		at := epoch.Add(time.Duration(i) * 5 * time.Second)
		d.Clock.sample(uint32(i*5000), at.Add(-4*time.Millisecond), at)
	}
	d.timeline = wire.Timeline{Ticks: 195_000, Begun: true}
	d.taken = takenTime{epoch.Add(195 * time.Second), time.Millisecond}
	for i := range n {
		in := d.Link.in.take(uint8(i % wire.FrameNumbers))
		d.Settle(in)
		d.Link.Answer(in, nil)
	}
	return d
}

// recalled returns what the next run of a hub knows of a device, at a time.
func recalled(t testing.TB, state []byte, h wire.Hello, now time.Time, up Uptime) (*Device, error) {
	t.Helper()
	ds := Devices{Uptime: up}
	d := ds.add(h)
	return d, d.restore(now, h, state)
}

var later = epoch.Add(205 * time.Second)

// TestStateGoesOn: the next run of a hub has the numbers, the answers, the ticks and the clock of the one before.
func TestStateGoesOn(t *testing.T) {
	for n := 1; n <= 2*wire.FrameNumbers; n++ {
		ds := Devices{Uptime: testUptime}
		d := knownDevice(&ds, n)
		d.Link.in.take(d.Link.in.next) // has arrived, and is not settled
		state := d.State(later, []byte("own"))
		if len(state) > 100 {
			t.Fatalf("a state has %d bytes", len(state))
		}
		got, err := recalled(t, state, stateHello, later, testUptime)
		must(t, err)
		next := uint8(n % wire.FrameNumbers)
		if got.Link.in.next != next || !got.isNumbered() || got.timeline != d.timeline || string(got.Recalled.Own) != "own" {
			t.Fatalf("%+v", got)
		}
		if got.session>>8 != 0x12 || byte(got.session)-0x34 < 32 {
			t.Errorf("the session after 1234 is %04x", got.session)
		}
		for back := uint8(1); back <= wire.MaxWindow; back++ {
			if !got.Link.in.repeat(next - back) {
				t.Errorf("frame %d has no answer", next-back)
			}
		}
		if got.Link.in.repeat(next) || got.Link.in.repeat(next-wire.MaxWindow-1) {
			t.Error("a frame is taken for known that is not")
		}
		// A reading that has waited is stamped as it would have been.
		for _, ticks := range []uint32{196_000, 100_000, 204_000} {
			wantAt, wantSure := d.takenAt(ticks, later)
			at, sure := got.takenAt(ticks, later)
			if off := at.Sub(wantAt).Abs(); off > sure+wantSure || sure > 2*wantSure+time.Millisecond {
				t.Errorf("ticks %d are %v, sure to %v, not %v, sure to %v", ticks, at, sure, wantAt, wantSure)
			}
		}
		again, err := recalled(t, got.State(later, nil), stateHello, later, testUptime)
		must(t, err)
		if again.Link.in.next != next || again.timeline != d.timeline {
			t.Errorf("a state of a state differs: %+v", again)
		}
	}
}

// TestStateOfClock: after another start of the machine nothing is known of a device's clock but how bad it may be; and nothing if
// its ticks have another rate.
func TestStateOfClock(t *testing.T) {
	ds := Devices{Uptime: testUptime}
	d := knownDevice(&ds, 1)
	d.Clock.limit = 0.024
	state := d.State(later, nil)
	other, none := testUptime, testUptime
	other.Machine, none.Machine = 8, 0
	faster := stateHello
	faster.TicksPerSecond = 1001
	for name, get := range map[string]func() (*Device, error){
		"another start":    func() (*Device, error) { return recalled(t, state, stateHello, later, other) },
		"no clock of this": func() (*Device, error) { return recalled(t, state, stateHello, later, none) },
		"another rate":     func() (*Device, error) { return recalled(t, state, faster, later, testUptime) },
		"no clock of that": func() (*Device, error) {
			d.uptime.Machine = 0
			return recalled(t, d.State(later, nil), stateHello, later, none)
		},
		"the clock goes back": func() (*Device, error) { return recalled(t, state, stateHello, epoch.Add(-time.Minute), other) },
	} {
		got, err := get()
		must(t, err)
		if got.Clock.Known() || got.Clock.limit != 0.024 || got.Clock.low != -0.024 {
			t.Errorf("%s: %+v", name, got.Clock)
		}
		got.Clock.sample(205_000, later.Add(-helloTrip), later)
		if _, sure := got.takenAt(105_000, later); sure < 2*time.Second {
			t.Errorf("%s: what was taken 100 s ago is sure to %v", name, sure)
		}
	}
}

// TestStateOfAnswers: a frame whose answer was more than done gets it again, as far as it is short; and one that nobody can answer
// any more gets a failure.
func TestStateOfAnswers(t *testing.T) {
	failed := func(text string) []byte { return wire.PackReply(carrier.Failed(errors.New(text)), 200) }
	long := strings.Repeat("x", 100)
	many := make([]int, 100)
	lost := wire.PackReply(carrier.Failed(ErrAnswerLost), maxKeptReply)
	for name, c := range map[string]struct {
		answered              bool
		reply, presumed, want []byte
	}{
		"done":                     {true, nil, nil, nil},
		"done, presumed failed":    {true, nil, lost, nil},
		"not answered":             {false, nil, nil, nil},
		"not answered, presumed":   {false, nil, failed("no"), failed("no")},
		"refused":                  {true, failed("no"), nil, failed("no")},
		"refused at length":        {true, failed(long), nil, []byte{0x21}},
		"refused in part":          {true, wire.PackRefusal(carrier.Failed(errors.New("no")), []int{1, 2}, 200), nil, wire.PackRefusal(carrier.Failed(errors.New("no")), []int{1, 2}, 200)},
		"refused in part, long":    {true, wire.PackRefusal(carrier.Failed(errors.New(long)), []int{1, 2}, 200), nil, append([]byte{0x21, 0x60}, 0x82, 1, 2)},
		"refused in many parts":    {true, wire.PackRefusal(carrier.Failed(errors.New(long)), many, 300), nil, []byte{0x21}},
		"a response":               {true, wire.PackReply(carrier.Done(5), 200), lost, []byte{0, 5}},
		"a response that is large": {true, wire.PackReply(carrier.Done(long), 200), nil, lost},
	} {
		ds := Devices{Uptime: testUptime}
		d := knownDevice(&ds, 30)
		in := d.Link.in.take(30)
		in.Presume(c.presumed)
		d.Settle(in)
		if c.answered {
			d.Link.Answer(in, c.reply)
		}
		for n := range uint8(3) { // it is not the latest
			d.Settle(d.Link.in.take((31 + n) % wire.FrameNumbers))
		}
		got, err := recalled(t, d.State(later, nil), stateHello, later, testUptime)
		must(t, err)
		if s := got.Link.in.at(30); s == nil || !s.answered || !bytes.Equal(s.reply, c.want) || (s.reply == nil) != (c.want == nil) {
			t.Errorf("%s: the answer is %x, want %x", name, s.reply, c.want)
		}
	}
}

// TestStateRefused: a state that is damaged, or of another version, counts as none, and that is logged once.
func TestStateRefused(t *testing.T) {
	ds := Devices{Uptime: testUptime}
	good := knownDevice(&ds, 30).State(later, []byte("own"))
	newer := slices.Clone(good)
	newer[0]++
	bad := [][]byte{newer, append(slices.Clone(good), 0), {0xff}, make([]byte, MaxState+1)}
	for n := 1; n < len(good); n++ {
		bad = append(bad, good[:n])
	}
	for _, state := range bad {
		var log bytes.Buffer
		now := later
		hub := newTestHub(new(specHub), func(c *HubConfig) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		hub.devices.Recall = func(string) []byte { return state }
		for range 3 {
			now = now.Add(time.Second)
			hub.hello(now, stateHello.Pack())
		}
		w, err := wire.ParseWelcome(hub.welcome)
		must(t, err)
		if n := strings.Count(log.String(), "what was kept of a device cannot be used"); w.Known || n != 1 {
			t.Errorf("state %x: the device is known: %t; logged %d times: %s", state, w.Known, n, log.String())
		}
	}
}

// TestStateOfAnotherStart: a device that was started anew while there was no hub is known to have lost its memory, unless it has kept
// it; so is one that runs another program and does not say that it was started.
func TestStateOfAnotherStart(t *testing.T) {
	ds := Devices{Uptime: testUptime}
	state := knownDevice(&ds, 30).State(later, []byte("own"))
	for name, c := range map[string]struct {
		change      func(h *wire.Hello)
		known, lost bool
	}{
		"the same":                {func(*wire.Hello) {}, true, false},
		"started":                 {func(h *wire.Hello) { h.Boot++ }, false, true},
		"started, kept":           {func(h *wire.Hello) { h.Boot++; h.Kept = true }, true, false},
		"another program":         {func(h *wire.Hello) { h.Dictionary++ }, false, true},
		"another program, kept":   {func(h *wire.Hello) { h.Dictionary++; h.Boot++; h.Kept = true }, false, true},
		"another program, silent": {func(h *wire.Hello) { h.Dictionary++; h.Kept = true }, false, true},
	} {
		hub := newTestHub(new(specHub), nil)
		hub.devices.Recall = func(string) []byte { return state }
		hub.devices.Uptime = testUptime
		h := stateHello
		h.Ticks = 205_000
		c.change(&h)
		hub.hello(later, h.Pack())
		w, err := wire.ParseWelcome(hub.welcome)
		must(t, err)
		r := hub.device.Recalled
		if w.Known != c.known || c.known && w.Expects != 30 || r == nil || r.Lost != c.lost || string(r.Own) != "own" || w.Hub() != 0x12 {
			t.Errorf("%s: %+v, %+v", name, w, r)
		}
	}
}

// TestStateInDoubt: if a state may be older than what was answered, the device numbers its frames anew, and readings may be lost.
func TestStateInDoubt(t *testing.T) {
	ds := Devices{Uptime: testUptime}
	state := knownDevice(&ds, 30).State(later, []byte("own"))
	hub := newTestHub(new(specHub), nil)
	hub.devices.Recall, hub.devices.Uptime, hub.devices.Doubtful = func(string) []byte { return state }, testUptime, true
	h := stateHello
	h.Ticks = 205_000
	hub.hello(later, h.Pack())
	w, err := wire.ParseWelcome(hub.welcome)
	must(t, err)
	d := hub.device
	if w.Known || !d.Recalled.Lost || d.timeline.Begun || !d.Clock.Known() {
		t.Errorf("%+v, %+v", w, d)
	}
	again, err := recalled(t, d.State(later, nil), stateHello, later, testUptime)
	must(t, err)
	if again.isNumbered() || again.Recalled.Taken != d.Recalled.Taken {
		t.Errorf("afterwards %+v", again)
	}
}

// TestNoRequestBeforeTheDeviceIsHeard: a HELLO that was on its way to an earlier run of the hub says what the device expected then. So
// nothing is sent for which that counts before the device is heard in the new session; and what waits takes its number from the HELLO
// that the device has said last.
func TestNoRequestBeforeTheDeviceIsHeard(t *testing.T) {
	owner := new(specHub)
	hub := newTestHub(owner, nil)
	hub.devices.Recall = func(string) []byte { return nil }
	now := later
	frames := func() (sent []wire.Frame) {
		data, _ := hub.Pull(now, nil)
		in := wire.Deframer{Limit: wire.MaxFrame}
		in.Feed(data, func(chunk []byte, _ bool) {
			if f, err := wire.ParseFrame(chunk, wire.Hub, hub.device.Link.session); err == nil && f.Kind == wire.FrameMessage {
				sent = append(sent, f)
			}
		})
		return sent
	}
	h := stateHello
	h.Expects = 5
	hub.hello(now, h.Pack())
	hub.device.Link.Send(wire.FrameMessage, 1, []byte{0})
	if sent := frames(); len(sent) > 0 {
		t.Errorf("before the device is heard %+v is sent", sent)
	}
	now = now.Add(time.Second)
	h.Expects = 6 // it has had frame 5 of the earlier run
	hub.hello(now, h.Pack())
	hub.Receive(now, wire.AppendFrame([]byte{0}, wire.Device, hub.device.Link.session, wire.Frame{Kind: wire.FramePing, Payload: []byte{1}}))
	if sent := frames(); len(sent) != 1 || sent[0].Number != 6 {
		t.Errorf("then %+v is sent", sent)
	}
}

// FuzzState: whatever is read as a state, the hub goes on with something sound, or refuses it.
func FuzzState(f *testing.F) {
	ds := Devices{Uptime: testUptime}
	d := knownDevice(&ds, 30)
	f.Add(d.State(later, []byte("own")))
	in := d.Link.in.take(30)
	d.Settle(in)
	d.Link.Answer(in, wire.PackReply(carrier.Failed(errors.New("no")), 50))
	d.beginEra(later, stateHello)
	f.Add(d.State(later, nil))
	f.Fuzz(func(t *testing.T, state []byte) {
		got, err := recalled(t, state, stateHello, later, testUptime)
		if err != nil {
			return
		}
		for n := range uint8(wire.FrameNumbers) {
			got.Link.in.take(n + got.Link.in.next)
		}
		got.compareClock(later.Add(-helloTrip), later, stateHello)
		for _, ticks := range []uint32{0, 1, 1 << 31, 1<<32 - 1} {
			if at, sure := got.takenAt(ticks, later); at.After(later) || sure < 0 {
				t.Fatalf("ticks %d are %v, sure to %v", ticks, at, sure)
			}
		}
		if _, err := recalled(t, got.State(later, got.Recalled.Own), stateHello, later, testUptime); err != nil {
			t.Fatalf("a state of a state is refused: %v", err)
		}
	})
}
