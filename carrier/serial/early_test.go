package serial

import (
	"encoding/binary"
	"io/fs"
	"net"
	"sync"
	"testing"

	"sighub/carrier"
	"sighub/carrier/serial/port"
)

// A wiredDevice is a device of which the test plays every frame.
type wiredDevice struct {
	t      *testing.T
	conn   net.Conn
	frames chan frame
	hello  hello

	welcomed chan welcome
}

// connect says HELLO on a new line and returns the hub's answer.
func (d *wiredDevice) connect(lines chan<- net.Conn) welcome {
	d.t.Helper()
	ours, theirs := net.Pipe()
	d.conn, d.frames, d.welcomed = ours, make(chan frame, 100), make(chan welcome, 10)
	frames, welcomed := d.frames, d.welcomed
	var reading sync.WaitGroup
	reading.Go(func() {
		in := deframer{limit: limitFrame}
		session, buf := uint16(0), make([]byte, 4096)
		for {
			n, err := ours.Read(buf)
			if err != nil {
				return
			}
			in.feed(buf[:n], func(chunk []byte, _ bool) {
				f, err := parseFrame(chunk, session)
				if err != nil {
					d.t.Errorf("the hub wrote %x: %v", chunk, err)
					return
				}
				if w, err := parseWelcome(f.payload); f.kind == frameHello && err == nil {
					session = w.session
					welcomed <- w
					return
				}
				f.payload = append([]byte(nil), f.payload...)
				frames <- f
			})
		}
	})
	d.t.Cleanup(func() { _ = ours.Close(); reading.Wait() })
	lines <- theirs
	return d.greet()
}

// greet says HELLO and returns the hub's answer.
func (d *wiredDevice) greet() welcome {
	d.t.Helper()
	d.write(crcStart, frame{kind: frameHello, payload: d.hello.pack()})
	return <-d.welcomed
}

func (d *wiredDevice) write(session uint16, f frame) {
	d.t.Helper()
	_, err := d.conn.Write(appendFrame([]byte{0}, session, f))
	must(d.t, err)
}

// await returns the next frame of a kind.
func (d *wiredDevice) await(kind frameType) frame {
	for f := range d.frames {
		if f.kind == kind {
			return f
		}
	}
	return frame{}
}

// newWiredDevice returns a device with a dictionary, and a hub that takes its lines from a channel.
func newWiredDevice(t *testing.T) (*wiredDevice, chan<- net.Conn, *recorder) {
	t.Helper()
	dict := newDictionary(lightSenders).pack()
	d := &wiredDevice{t: t, hello: hello{uid: []byte{1}, name: "early", dictionary: hash(dict), maxFrame: 254,
		receiveWindow: 254, window: 1, boot: 7, ticksPerSecond: 1000}}
	lines := make(chan net.Conn, 1)
	hub, err := New(Options{Timeout: watchdog, Ports: []PortOptions{{Port: "wire", Opener: port.OpenerFunc(func(string, int) (port.Port, error) {
		select {
		case c := <-lines:
			return c, nil
		default:
			return nil, fs.ErrNotExist
		}
	})}}})
	must(t, err)
	at := newRecorder()
	serve(t, hub, at)
	return d, lines, at
}

// giveDictionary answers the hub's questions for the dictionary.
func (d *wiredDevice) giveDictionary(session uint16) {
	d.t.Helper()
	dict := newDictionary(lightSenders).pack()
	for {
		ask := d.await(frameMessage) // it says where to begin; one that was slowly answered comes again
		piece := dict[min(len(dict), int(binary.BigEndian.Uint16(ask.payload[2:]))):]
		d.write(session, frame{kind: frameReply, number: ask.number, payload: packReply(carrier.Done(piece), 200)})
		if len(piece) == 0 {
			return
		}
	}
}

// TestReadingBeforeTheDictionary: a reading that the hub took while it did not have the dictionary yet, on a line that
// was then lost, is handed on and acknowledged on the next one.
func TestReadingBeforeTheDictionary(t *testing.T) {
	d, lines, at := newWiredDevice(t)
	reading := frame{kind: frameEvent, payload: (&timeline{}).append(nil, packedReading{value: []byte{5}}, 1)}
	w := d.connect(lines)
	d.write(w.session, reading)
	d.await(frameMessage) // the hub asks for the dictionary, in vain
	d.write(w.session, frame{kind: framePing, number: 9})
	d.await(framePing) // what was written before is taken
	must(t, d.conn.Close())

	w = d.connect(lines)
	if !w.known || w.expects != 1 {
		t.Fatalf("the hub expects frame %d, known %t, after it took frame 0", w.expects, w.known)
	}
	d.write(w.session, reading) // for its answer
	d.giveDictionary(w.session)
	if f := d.await(frameAck); f.number != 0 {
		t.Errorf("frame %d is acknowledged", f.number)
	}
	if got := at.all("signal"); len(got) != 1 || signalOf(t, got[0].message).data != int64(5) {
		t.Errorf("the handler was told %+v", got)
	}
}

// TestAstray: behind a frame that could not be read the hub does not know the ticks. It refuses nothing more, and makes
// the device number anew, which then says the time; what it had answered before is not handed on again.
func TestAstray(t *testing.T) {
	d, lines, at := newWiredDevice(t)
	w := d.connect(lines)
	d.giveDictionary(w.session)
	bits := numberBits(3)
	mark := appendInt(nil, -1-1000)
	value := func(n byte) []byte { return append(appendUint(nil, 10<<bits), n) }
	event := func(n uint8, payload ...byte) {
		d.write(w.session, frame{kind: frameEvent, number: n, payload: payload})
	}

	event(0, append(mark, value(1)...)...)
	if f := d.await(frameAck); f.number != 0 {
		t.Fatalf("frame %d is acknowledged", f.number)
	}
	event(1, 0x61, 'x') // no reading at all
	if f := d.await(frameReply); f.number != 1 || unpackReply(f.payload).Status != carrier.StatusMalformed {
		t.Fatalf("answered with %+v", f)
	}
	event(2, value(2)...)
	demanded := func() bool { // before a PING is answered
		for f := range d.frames {
			switch {
			case f.kind == frameHello && len(f.payload) == 0:
				return true
			case f.kind == framePing && f.number == 9:
				return false
			case (f.kind == frameAck || f.kind == frameReply) && f.number == 2:
				t.Fatalf("a reading without a time is answered with %+v", f)
			}
		}
		return false
	}
	d.write(w.session, frame{kind: framePing, number: 9})
	for !demanded() {
		event(2, value(2)...) // again, as it is not answered
		d.write(w.session, frame{kind: framePing, number: 9})
	}
	w = d.greet()
	if back := (w.expects - 2) % numbers; !w.known || back <= 2*maxWindow || back > numbers-maxWindow {
		t.Fatalf("the hub expects frame %d, known %t", w.expects, w.known)
	}
	event(w.expects, append(mark, value(2)...)...)
	for f := d.await(frameAck); f.number != w.expects; f = d.await(frameAck) {
		if f.number > 1 { // answers from before may be repeated
			t.Fatalf("frame %d is acknowledged, want %d", f.number, w.expects)
		}
	}
	signals := at.all("signal")
	for i, m := range signals {
		if signalOf(t, m.message).data != int64(i+1) {
			t.Errorf("signal %d is %s", i, m.message.Params)
		}
	}
	if len(signals) != 2 || len(at.all("disconnected")) != 0 {
		t.Errorf("%d signals, %v", len(signals), at.summary())
	}
}
