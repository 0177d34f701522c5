//go:build linux || darwin

package serial

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/device"
	"sighub/carrier/serial/internal/wire"
	"sighub/carrier/serial/port"
)

var lightSenders = []device.Sender{
	{Name: "light", Events: []device.Event{{Name: "lux", Unit: "lx"}, {Name: "dark"}}, Requests: []string{"led"}},
	{Name: "warmth", Events: []device.Event{{Name: "celsius", Unit: "Cel", Exponent: -2}}},
}

// A bench is a hub and a device on a pseudo terminal.
type bench struct {
	pty      *port.PTY
	options  Options // the hub's
	hub      *Server
	device   *device.Device
	atHub    *recorder
	atDevice *recorder
	stopHub  func()
	log      *logBuffer
}

func newBench(t testing.TB, change func(*Options, *device.Options)) *bench {
	t.Helper()
	b := &bench{atHub: newRecorder(), atDevice: newRecorder(), log: new(logBuffer)}
	var err error
	b.pty, err = port.NewPTY(t.TempDir() + "/port")
	must(t, err)
	t.Cleanup(func() { _ = b.pty.Close() })
	o := Options{
		Ports:   []PortOptions{{Port: b.pty.Path()}},
		Timeout: watchdog, Backoff: carrier.Backoff{Min: time.Millisecond, Max: 10 * time.Millisecond},
		Logger: slog.New(slog.NewTextHandler(b.log, nil)),
	}
	d := device.Options{UID: []byte{0xa1, 0xb2}, Name: "porch", Senders: lightSenders, Timeout: watchdog}
	if change != nil {
		change(&o, &d)
	}
	b.options = o
	b.hub, err = Listen(o)
	must(t, err)
	b.device, err = device.New(b.pty.Open, d)
	must(t, err)
	return b
}

func (b *bench) start(t testing.TB) {
	t.Helper()
	b.stopHub = serve(t, b.hub, b.atHub)
	serve(t, b.device, b.atDevice)
	b.atHub.wait(t, "connected", 1)
	b.atDevice.wait(t, "connected", 1)
}

// report reports values and returns a channel that takes what becomes of each.
func (b *bench) report(t testing.TB, from, to int) <-chan error {
	t.Helper()
	ended := make(chan error, to-from)
	for n := from; n < to; n++ {
		ctx, cancel := context.WithTimeout(context.Background(), watchdog)
		must(t, b.device.Report(ctx, "light", "lux", n, func(err error) { ended <- err }))
		cancel()
	}
	return ended
}

func acknowledged(t testing.TB, ended <-chan error) {
	t.Helper()
	for range cap(ended) {
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("a reading ends with %v", err)
			}
		case <-time.After(watchdog):
			t.Fatal("readings are not acknowledged")
		}
	}
}

// counted checks that the values 0 to n-1 of light/lux arrived, each once and in order.
func (b *bench) counted(t testing.TB, n int) {
	t.Helper()
	got := b.atHub.all("signal")
	for i, m := range got {
		if s := signalOf(t, m.message); s.sender != "light" || s.event != "lux" || s.data != int64(i) {
			t.Fatalf("signal %d is %+v", i, s)
		}
	}
	if len(got) != n {
		t.Fatalf("%d signals, want %d", len(got), n)
	}
}

func TestDeviceOnALine(t *testing.T) {
	b := newBench(t, func(o *Options, _ *device.Options) {
		o.Ports[0].Naming, o.Ports[0].May = "{device}.{sender}", carrier.RightList
	})
	b.start(t)
	c := b.atHub.wait(t, "connected", 1).client
	want := carrier.Client{ID: c.ID, Name: "porch", UID: "a1b2", Addr: "serial://" + b.pty.Path(),
		Codec: carrier.CBORText, Hello: true, Window: 4, Naming: "{device}.{sender}", Refused: c.Refused, Restricted: true, May: carrier.RightList}
	if c != want {
		t.Errorf("%+v, want %+v", c, want)
	}
	b.atHub.wait(t, "add_sender", 2)
	for i, want := range []string{
		`{"sender":"light","events":["lux","dark"],"requests":["led"],"units":{"lux":"lx"}}`,
		`{"sender":"warmth","events":["celsius"],"requests":null,"units":{"celsius":"Cel"}}`,
	} {
		if got := b.atHub.all("add_sender")[i].message.Params.String(); got != want {
			t.Errorf("add_sender %s, want %s", got, want)
		}
	}

	before := time.Now()
	acknowledged(t, b.report(t, 0, 500))
	b.counted(t, 500)
	for _, m := range b.atHub.all("signal") {
		s := signalOf(t, m.message)
		at, sure := time.Unix(0, s.time), time.Duration(s.uncertainty)
		if sure <= 0 || at.Add(sure).Before(before.Add(-time.Millisecond)) || at.After(m.at) {
			t.Fatalf("stamped %v, sure to %v; taken after %v, arrived %v", at, sure, before, m.at)
		}
	}
	if s := b.device.Stats(); s.Sent != 500 || s.Acknowledged != 500 || s.Lost != 0 || s.Refused != 0 {
		t.Errorf("%+v", s)
	}

	// One that comes as a message, as from a device without our library, counts as well.
	toHub := b.atDevice.wait(t, "connected", 1).client.ID
	info := carrier.Object{{Key: "sender", Value: "light"}, {Key: "event", Value: "lux"}}
	if r, err := call(t, b.device, toHub, "signal", carrier.Object{{Key: "info", Value: info}, {Key: "data", Value: 5}}); err != nil || r.Err() != nil {
		t.Error(r, err)
	}
	if d := b.hub.Ports()[0].Device; d == nil || d.Readings != 501 {
		t.Errorf("the port's device is %+v", d)
	}

	// A request that the dictionary names travels as a number, any other one as it is: the device sees no difference.
	for i, method := range []string{"led", "unnamed"} {
		params := carrier.Object{{Key: "sender", Value: "light"}, {Key: "method", Value: method}, {Key: "params", Value: []any{true}}}
		r, err := call(t, b.hub, c.ID, "request", params)
		if err != nil || r.Err() != nil {
			t.Fatal(r, err)
		}
		var got struct {
			Sender, Method string
			Params         []bool
		}
		must(t, b.atDevice.wait(t, "request", i+1).message.Params.Decode(&got))
		if got.Sender != "light" || got.Method != method || len(got.Params) != 1 || !got.Params[0] {
			t.Errorf("the device was asked %+v", got)
		}
	}
	if err := b.device.Report(context.Background(), "light", "nosuch", 1, nil); err == nil {
		t.Error("an event that the dictionary does not name was taken")
	}
	if err := b.device.Report(context.Background(), "light", "lux", strings.Repeat("x", 300), nil); !errors.Is(err, carrier.ErrTooLarge) {
		t.Errorf("a reading that is too large: %v", err)
	}
}

// TestUnplug: a hang-up is told within 10 ms, and the device comes back by itself, with nothing lost or doubled.
func TestUnplug(t *testing.T) {
	b := newBench(t, nil)
	b.start(t)
	acknowledged(t, b.report(t, 0, 10))
	const rounds = 5
	best := time.Hour
	for i := 1; i <= rounds; i++ {
		ended := b.report(t, 10*i, 10*i+5) // some of them on their way
		cut := time.Now()
		b.pty.Cut()
		gone := b.atHub.wait(t, "disconnected", i)
		if !errors.Is(gone.cause, carrier.ErrUnplugged) || carrier.Reason(gone.cause) != "unplugged" {
			t.Fatalf("cause %v", gone.cause)
		}
		best = min(best, gone.at.Sub(cut))
		later := b.report(t, 10*i+5, 10*i+10)
		must(t, b.pty.Restore())
		b.atHub.wait(t, "connected", i+1)
		acknowledged(t, ended)
		acknowledged(t, later)
	}
	if best > 10*time.Millisecond {
		t.Errorf("the hang-up was told after %v at best", best)
	}
	b.counted(t, 10*(rounds+1))
	ids := make(map[carrier.ClientID]bool)
	for _, c := range b.atHub.all("connected") {
		ids[c.id] = true
	}
	if len(ids) != rounds+1 {
		t.Errorf("%d ids for %d connections", len(ids), rounds+1)
	}
}

// TestFlappingLine: connections that come and go while the handler is busy leave nothing behind, and the handler hears of
// the last one.
func TestFlappingLine(t *testing.T) {
	b := newBench(t, nil)
	release := make(chan struct{})
	b.atHub.handle = func(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
		if m.Method == "signal" {
			<-release
		}
		respond(carrier.Done(nil))
	}
	b.start(t)
	ended := b.report(t, 0, 1)
	b.atHub.wait(t, "signal", 1)
	const flaps = 10
	for i := range flaps {
		b.pty.Cut()
		b.atDevice.wait(t, "disconnected", i+1)
		must(t, b.pty.Restore())
		b.atDevice.wait(t, "connected", i+2)
	}
	b.hub.mu.Lock()
	if n := len(b.hub.lines[0].client.predecessors); n != 1 {
		t.Errorf("the latest connection waits for %d others", n)
	}
	b.hub.mu.Unlock()
	close(release)
	acknowledged(t, ended)
	b.atHub.wait(t, "connected", 2)
	b.counted(t, 1)
	if n := len(b.atHub.all("connected")); n != 2 {
		t.Errorf("%d connections were told of", n)
	}
}

// TestTimeout: a device that falls silent is gone, though its port stays. When it speaks again, it is back.
func TestTimeout(t *testing.T) {
	b := newBench(t, func(o *Options, d *device.Options) {
		o.Ask, o.Timeout = 20*time.Millisecond, 200*time.Millisecond
		d.Ask, d.Timeout = 100*time.Millisecond, 400*time.Millisecond
	})
	stopHub := serve(t, b.hub, b.atHub)
	defer stopHub()
	stop := serve(t, b.device, b.atDevice)
	b.atHub.wait(t, "connected", 1)
	stop()
	gone := b.atHub.wait(t, "disconnected", 1)
	if !errors.Is(gone.cause, carrier.ErrTimeout) || carrier.Reason(gone.cause) != "timeout" {
		t.Fatalf("cause %v", gone.cause)
	}
	again, err := device.New(b.pty.Open, device.Options{UID: []byte{0xa1, 0xb2}, Name: "porch", Senders: lightSenders})
	must(t, err)
	serve(t, again, newRecorder())
	b.atHub.wait(t, "connected", 2)
}

// TestHubRestarts: a hub that knows nothing of a device that is in a session gets its readings all the same.
func TestHubRestarts(t *testing.T) {
	b := newBench(t, nil)
	b.start(t)
	acknowledged(t, b.report(t, 0, 5))
	b.stopHub()
	ended := b.report(t, 5, 10)
	second, err := Listen(b.options)
	must(t, err)
	b.atHub = newRecorder()
	serve(t, second, b.atHub)
	b.atHub.wait(t, "connected", 1)
	acknowledged(t, ended)
	for i, m := range b.atHub.all("signal") {
		if s := signalOf(t, m.message); s.data != int64(5+i) {
			t.Fatalf("signal %d is %+v", i, s)
		}
	}
	gone := b.atDevice.wait(t, "disconnected", 1)
	if !errors.Is(gone.cause, carrier.ErrReset) {
		t.Errorf("the device was told %v", gone.cause)
	}
}

// TestNotTwice: a request whose reply is lost with the line is not executed twice, and readings that were handed on
// but not answered when the line was cut are answered later, and not handed on again.
func TestNotTwice(t *testing.T) {
	b := newBench(t, nil)
	held := make(chan func(carrier.Reply), 10)
	b.atHub.handle = func(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
		if m.Method == "signal" {
			held <- respond
			return
		}
		respond(carrier.Done(nil))
	}
	b.start(t)
	ended := b.report(t, 0, 1)
	respond := <-held
	b.pty.Cut()
	b.atHub.wait(t, "disconnected", 1)
	must(t, b.pty.Restore())
	b.atHub.wait(t, "connected", 2)
	respond(carrier.Done(nil))
	respond(carrier.Failed(errors.New("a second reply")))
	acknowledged(t, ended)
	ended = b.report(t, 1, 2)
	(<-held)(carrier.Done(nil))
	acknowledged(t, ended)
	b.counted(t, 2)
}

func TestDictionaryIsFetchedOnce(t *testing.T) {
	b := newBench(t, func(o *Options, d *device.Options) {
		d.MaxFrame = wire.MinFrame // several pieces
	})
	b.start(t)
	b.atHub.wait(t, "add_sender", 2)
	fetched := b.framesSent()
	if fetched < 2 {
		t.Errorf("the dictionary came in %d pieces", fetched)
	}
	b.pty.Cut()
	b.atHub.wait(t, "disconnected", 1)
	must(t, b.pty.Restore())
	b.atHub.wait(t, "add_sender", 4)
	if n := b.framesSent() - fetched; n > 0 {
		t.Errorf("%d frames went to the device after it came back", n)
	}
}

// framesSent returns how many reliable frames the hub has sent to the device.
func (b *bench) framesSent() uint64 {
	b.hub.mu.Lock()
	defer b.hub.mu.Unlock()
	for _, r := range b.hub.records {
		return r.device.Link.Stats.Sent
	}
	return 0
}

// TestTwoDevices: devices are told apart by their uid; one that appears on another port has moved.
func TestTwoDevices(t *testing.T) {
	second, err := port.NewPTY(t.TempDir() + "/second")
	must(t, err)
	defer second.Close()
	b := newBench(t, func(o *Options, _ *device.Options) {
		o.Ports = append(o.Ports, PortOptions{Port: second.Path(), Name: "garden"})
	})
	b.start(t)
	other, err := device.New(second.Open, device.Options{UID: []byte{7}, Name: "porch"})
	must(t, err)
	atOther := newRecorder()
	stop := serve(t, other, atOther)
	c := b.atHub.wait(t, "connected", 2).client
	if c.Name != "garden" || c.UID != "07" {
		t.Errorf("%+v", c)
	}
	r, err := call(t, other, atOther.wait(t, "connected", 1).id, "get_version", nil)
	if err != nil || r.Err() != nil {
		t.Error(r, err)
	}
	acknowledged(t, b.report(t, 0, 5))
	stop()

	// The same uid on the second port, while the first is talking: refused, until that one falls silent.
	twin, err := device.New(second.Open, device.Options{UID: []byte{0xa1, 0xb2}, Name: "twin"})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	talking := make(chan struct{})
	go func() {
		defer close(talking)
		for n := 5; ctx.Err() == nil; n++ {
			done := make(chan struct{})
			if b.device.Report(ctx, "light", "lux", n, func(error) { close(done) }) != nil {
				return
			}
			<-done
		}
	}()
	serve(t, twin, newRecorder())
	b.log.wait(t, "connected on another port")
	if n := len(b.atHub.all("connected")); n != 2 {
		t.Errorf("%d connections", n)
	}
	cancel()
	<-talking
	b.pty.Cut()
	moved := b.atHub.wait(t, "connected", 3).client
	if moved.UID != "a1b2" || !strings.HasSuffix(moved.Addr, "second") {
		t.Errorf("%+v", moved)
	}
}

// TestNoise: boot text, garbage and frames of any kind do not disturb, and text is logged.
func TestNoise(t *testing.T) {
	b := newBench(t, nil)
	b.start(t)
	other, err := b.pty.Open(t.Context()) // the same end again
	must(t, err)
	noise := func(s string) {
		_, err := other.Write([]byte(s))
		must(t, err)
	}
	noise("\x00ets Jul 29 2019 12:21:46\r\n\x1b[0;32mI (27) boot: ok\x1b[0m\r\n\x00")
	acknowledged(t, b.report(t, 0, 5))
	noise("\x00\x05\xff\xfe\x01\x00\x02\x00" + strings.Repeat("\xaa", 9000) + "\x00")
	acknowledged(t, b.report(t, 5, 10))
	for kind := range wire.FrameType(8) {
		noise(string(wire.AppendFrame([]byte{0}, wire.Device, 0x4242, wire.Frame{Kind: kind, Payload: []byte{0xff, 0xff}})))
	}
	acknowledged(t, b.report(t, 10, 15))
	b.counted(t, 15)
	for _, want := range []string{"ets Jul 29 2019 12:21:46", `\\x1b[0;32mI (27) boot: ok`} {
		if !strings.Contains(b.log.String(), want) {
			t.Errorf("%q is not in the log:\n%s", want, b.log.String())
		}
	}
	if n := len(b.atHub.all("disconnected")); n != 0 {
		t.Errorf("%d disconnections", n)
	}
}

// TestPlainDevice: a device without a dictionary says everything in messages.
func TestPlainDevice(t *testing.T) {
	b := newBench(t, func(_ *Options, d *device.Options) { d.Senders = nil })
	b.start(t)
	id := b.atDevice.wait(t, "connected", 1).id
	params := carrier.Object{{Key: "info", Value: carrier.Object{{Key: "sender", Value: "light"}, {Key: "event", Value: "lux"}}}, {Key: "data", Value: 512}}
	if r, err := call(t, b.device, id, "signal", params); err != nil || r.Err() != nil {
		t.Fatal(r, err)
	}
	if s := signalOf(t, b.atHub.wait(t, "signal", 1).message); s.sender != "light" || s.event != "lux" || s.data != int64(512) {
		t.Errorf("%+v", s)
	}
	if len(b.atHub.all("add_sender")) != 0 {
		t.Error("senders were added for a plain device")
	}
}

// TestPortAppears: a port that is not there yet, or is not a serial port, is logged once, and opened when it is there.
func TestPortAppears(t *testing.T) {
	b := newBench(t, nil)
	b.pty.Cut()
	must(t, os.WriteFile(b.pty.Path(), nil, 0o600))
	serve(t, b.hub, b.atHub)
	serve(t, b.device, b.atDevice)
	b.log.wait(t, "not a serial port")
	must(t, os.Remove(b.pty.Path()))
	b.log.wait(t, "is the device plugged in")
	must(t, b.pty.Restore())
	b.atHub.wait(t, "connected", 1)
	if n := strings.Count(b.log.String(), "cannot be opened"); n != 2 {
		t.Errorf("%d complaints:\n%s", n, b.log.String())
	}
}

// TestFasterLine: the hub and a device that can do more agree upon a faster rate, and go on.
func TestFasterLine(t *testing.T) {
	b := newBench(t, func(o *Options, d *device.Options) { o.Ports[0].MaxBaud, d.FastestBaud = 500000, 1000000 })
	b.start(t)
	faster, times := "line now runs faster\" port="+b.pty.Path()+" baud=500000", 1
	again := func() { // a line that is opened anew is tried anew
		b.pty.Cut()
		b.atDevice.wait(t, "disconnected", times)
		b.log.forget()
		must(t, b.pty.Restore())
		times++
		b.atHub.wait(t, "connected", times)
	}
	for {
		b.log.wait(t, faster, "cannot run so fast", "does not answer the offer")
		if strings.Contains(b.log.String(), faster) {
			break
		}
		if times == 5 {
			t.Fatalf("the line never ran faster:\n%s", b.log.String())
		}
		again() // a busy machine may take longer than a trial does
	}
	acknowledged(t, b.report(t, 0, 100))
	b.counted(t, 100)
	again()
	acknowledged(t, b.report(t, 100, 200))
	b.counted(t, 200)
}
