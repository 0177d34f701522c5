package serial

import (
	"encoding/binary"
	"io/fs"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/wire"
	"sighub/carrier/serial/port"
)

// A wiredDevice is a device of which the test plays every frame.
type wiredDevice struct {
	t      *testing.T
	conn   net.Conn
	frames chan wire.Frame
	hello  wire.Hello
	dict   []byte
	hub    *Server

	welcomed chan wire.Welcome
}

// connect says HELLO on a new line and returns the hub's answer.
func (d *wiredDevice) connect(lines chan<- net.Conn) wire.Welcome {
	d.t.Helper()
	ours, theirs := net.Pipe()
	d.conn, d.frames, d.welcomed = ours, make(chan wire.Frame, 100), make(chan wire.Welcome, 10)
	frames, welcomed := d.frames, d.welcomed
	var reading sync.WaitGroup
	reading.Go(func() {
		in := wire.Deframer{Limit: wire.MaxFrame}
		session, buf := uint16(0), make([]byte, 4096)
		for {
			n, err := ours.Read(buf)
			if err != nil {
				return
			}
			in.Feed(buf[:n], func(chunk []byte, _ bool) {
				f, err := wire.ParseFrame(chunk, wire.Hub, session)
				if err != nil {
					d.t.Errorf("the hub wrote %x: %v", chunk, err)
					return
				}
				if w, err := wire.ParseWelcome(f.Payload); f.Kind == wire.FrameHello && err == nil {
					session = w.Session
					welcomed <- w
					return
				}
				f.Payload = append([]byte(nil), f.Payload...)
				frames <- f
			})
		}
	})
	d.t.Cleanup(func() { _ = ours.Close(); reading.Wait() })
	lines <- theirs
	return d.greet()
}

// greet says HELLO and returns the hub's answer.
func (d *wiredDevice) greet() wire.Welcome {
	d.t.Helper()
	d.write(wire.CRCStart, wire.Frame{Kind: wire.FrameHello, Payload: d.hello.Pack()})
	return <-d.welcomed
}

func (d *wiredDevice) write(session uint16, f wire.Frame) {
	d.t.Helper()
	_, err := d.conn.Write(wire.AppendFrame([]byte{0}, wire.Device, session, f))
	must(d.t, err)
}

// insist sends a reliable frame, again whenever the hub asks for it, and returns the payload of its answer: nil for an ACK frame.
func (d *wiredDevice) insist(session uint16, f wire.Frame) []byte {
	d.t.Helper()
	d.write(session, f)
	for {
		select {
		case got := <-d.frames:
			switch {
			case got.Kind == wire.FrameAgain && got.Number == f.Number:
				d.write(session, f)
			case got.Kind == wire.FrameReply && got.Number == f.Number:
				return got.Payload
			case got.Kind == wire.FrameAck && got.Number == f.Number:
				return nil
			}
		case <-time.After(watchdog):
			d.t.Fatalf("frame %d is not answered", f.Number)
		}
	}
}

// await returns the next frame of a kind.
func (d *wiredDevice) await(kind wire.FrameType) wire.Frame {
	for f := range d.frames {
		if f.Kind == kind {
			return f
		}
	}
	return wire.Frame{}
}

// lightDictionary returns a packed dictionary of three events.
func lightDictionary() []byte {
	return wire.NewDictionary([]wire.Sender{
		{Name: "light", Events: []wire.Event{{Name: "lux", Unit: "lx"}, {Name: "dark"}}, Requests: []string{"led"}},
		{Name: "warmth", Events: []wire.Event{{Name: "celsius", Unit: "Cel", Exponent: -2}}},
	}).Pack()
}

// newWiredDevice returns a device with a dictionary, and a hub that takes its lines from a channel.
func newWiredDevice(t *testing.T) (*wiredDevice, chan<- net.Conn, *recorder) {
	t.Helper()
	at := newRecorder()
	d, lines, _, _ := newWiredHub(t, at)
	return d, lines, at
}

// newWiredHub is newWiredDevice with a handler of the test's, and the hub's log.
func newWiredHub(t *testing.T, h carrier.Handler) (*wiredDevice, chan<- net.Conn, *Server, *logBuffer) {
	t.Helper()
	dict, log := lightDictionary(), new(logBuffer)
	d := &wiredDevice{t: t, dict: dict, hello: wire.Hello{UID: []byte{1}, Name: "early", Dictionary: wire.HashDictionary(dict), MaxFrame: 254,
		ReceiveWindow: 254, Window: 1, Boot: 7, TicksPerSecond: 1000}}
	lines := make(chan net.Conn, 1)
	hub, err := Listen(Options{Timeout: watchdog, Logger: slog.New(slog.NewTextHandler(log, nil)), Ports: []PortOptions{{Port: "wire", Opener: port.OpenerFunc(func(string, int) (port.Port, error) {
		select {
		case c := <-lines:
			return c, nil
		default:
			return nil, fs.ErrNotExist
		}
	})}}})
	must(t, err)
	d.hub = hub
	serve(t, hub, h)
	return d, lines, hub, log
}

// giveDictionary answers the hub's questions for the dictionary.
func (d *wiredDevice) giveDictionary(session uint16) {
	d.t.Helper()
	for {
		ask := d.await(wire.FrameMessage) // it says where to begin; one that was slowly answered comes again
		piece := d.dict[min(len(d.dict), int(binary.BigEndian.Uint16(ask.Payload[2:]))):]
		d.write(session, wire.Frame{Kind: wire.FrameReply, Number: ask.Number, Payload: wire.PackReply(carrier.Done(piece), 200)})
		if len(piece) == 0 {
			return
		}
	}
}

// TestReadingBeforeTheDictionary: a reading that the hub took while it did not have the dictionary yet, on a line that
// was then lost, is handed on and acknowledged on the next one.
func TestReadingBeforeTheDictionary(t *testing.T) {
	d, lines, at := newWiredDevice(t)
	reading := wire.Frame{Kind: wire.FrameEvent, Payload: (&wire.Timeline{}).Append(nil, wire.Reading{Value: []byte{5}}, 1)}
	w := d.connect(lines)
	d.write(w.Session, reading)
	d.await(wire.FrameMessage) // the hub asks for the dictionary, in vain
	d.write(w.Session, wire.Frame{Kind: wire.FramePing, Number: 9})
	d.await(wire.FramePing) // what was written before is taken
	must(t, d.conn.Close())

	w = d.connect(lines)
	if !w.Known || w.Expects != 1 {
		t.Fatalf("the hub expects frame %d, known %t, after it took frame 0", w.Expects, w.Known)
	}
	d.write(w.Session, reading) // for its answer
	d.giveDictionary(w.Session)
	if f := d.await(wire.FrameAck); f.Number != 0 {
		t.Errorf("frame %d is acknowledged", f.Number)
	}
	if got := at.all("signal"); len(got) != 1 || signalOf(t, got[0].message).data != int64(5) {
		t.Errorf("the handler was told %+v", got)
	}
	must(t, d.conn.Close())

	// The connection after that does not hand it on again.
	w = d.connect(lines)
	d.write(w.Session, wire.Frame{Kind: wire.FrameEvent, Number: 1, Payload: (&wire.Timeline{}).Append(nil, wire.Reading{Value: []byte{6}}, 1)})
	if f := d.await(wire.FrameAck); f.Number != 1 {
		t.Errorf("frame %d is acknowledged", f.Number)
	}
	if got := at.all("signal"); len(got) != 2 || signalOf(t, got[1].message).data != int64(6) {
		t.Errorf("the handler was told %+v", got)
	}
}

// TestReadingsWithoutTime: after a frame that it could not read, the hub does not know the ticks. It refuses nothing more,
// and makes the device number its frames anew, which then begins with a time mark. What was answered before is not handed on
// again. Listeners are told that readings may be missing.
func TestReadingsWithoutTime(t *testing.T) {
	d, lines, at := newWiredDevice(t)
	w := d.connect(lines)
	d.giveDictionary(w.Session)
	bits := wire.NumberBits(3)
	mark := wire.AppendInt(nil, -1-1000)
	value := func(n byte) []byte { return append(wire.AppendUint(nil, 10<<bits), n) }
	event := func(n uint8, payload ...byte) {
		d.write(w.Session, wire.Frame{Kind: wire.FrameEvent, Number: n, Payload: payload})
	}

	event(0, append(mark, value(1)...)...)
	if f := d.await(wire.FrameAck); f.Number != 0 {
		t.Fatalf("frame %d is acknowledged", f.Number)
	}
	nonsense := wire.Frame{Kind: wire.FrameEvent, Number: 1, Payload: []byte{0x61, 'x'}} // no reading at all
	if r := wire.UnpackReply(d.insist(w.Session, nonsense)); r.Status != carrier.StatusMalformed {
		t.Fatalf("answered with %+v", r)
	}
	event(2, value(2)...)
	demanded := func() bool { // before a PING is answered
		for f := range d.frames {
			switch {
			case f.Kind == wire.FrameHello && len(f.Payload) == 0:
				return true
			case f.Kind == wire.FramePing && f.Number == 9:
				return false
			case (f.Kind == wire.FrameAck || f.Kind == wire.FrameReply) && f.Number == 2:
				t.Fatalf("a reading without a time is answered with %+v", f)
			}
		}
		return false
	}
	d.write(w.Session, wire.Frame{Kind: wire.FramePing, Number: 9})
	for !demanded() {
		event(2, value(2)...) // again, as it is not answered
		d.write(w.Session, wire.Frame{Kind: wire.FramePing, Number: 9})
	}
	w = d.greet()
	if back := (w.Expects - 2) % wire.FrameNumbers; !w.Known || back <= 2*wire.MaxWindow || back > wire.FrameNumbers-wire.MaxWindow {
		t.Fatalf("the hub expects frame %d, known %t", w.Expects, w.Known)
	}
	event(w.Expects, append(mark, value(2)...)...)
	for f := d.await(wire.FrameAck); f.Number != w.Expects; f = d.await(wire.FrameAck) {
		if f.Number > 1 { // answers from before may be repeated
			t.Fatalf("frame %d is acknowledged, want %d", f.Number, w.Expects)
		}
	}
	signals := at.all("signal")
	for i, m := range signals {
		switch s := signalOf(t, m.message); {
		case i == 1: // nobody knows what the frame held that could not be read
			if loss := lossOf(t, s); s.event != gapEvent || loss.Count != nil || loss.Cause != "malformed" {
				t.Errorf("the gap is %s", m.message.Params)
			}
		case s.data != []any{int64(1), nil, int64(2)}[i]:
			t.Errorf("signal %d is %s", i, m.message.Params)
		}
	}
	if len(signals) != 3 || len(at.all("disconnected")) != 0 {
		t.Errorf("%d signals, %v", len(signals), at.summary())
	}
}
