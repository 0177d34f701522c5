package serial

import (
	"io/fs"
	"net"
	"sync"
	"testing"

	"sighub/carrier"
)

// A wiredDevice is a device of which the test plays every frame.
type wiredDevice struct {
	t      *testing.T
	conn   net.Conn
	frames chan frame
	hello  hello
}

// connect says HELLO on a new line and returns the hub's answer.
func (d *wiredDevice) connect(lines chan<- net.Conn) welcome {
	d.t.Helper()
	ours, theirs := net.Pipe()
	d.conn, d.frames = ours, make(chan frame, 100)
	var reading sync.WaitGroup
	welcomed := make(chan welcome, 10)
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
				d.frames <- f
			})
		}
	})
	d.t.Cleanup(func() { _ = ours.Close(); reading.Wait() })
	lines <- theirs
	d.write(crcStart, frame{kind: frameHello, payload: d.hello.pack()})
	return <-welcomed
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

// TestReadingBeforeTheDictionary: a reading that the hub took while it did not have the dictionary yet, on a line that
// was then lost, is handed on and acknowledged on the next one.
func TestReadingBeforeTheDictionary(t *testing.T) {
	dict := newDictionary(lightSenders).pack()
	d := &wiredDevice{t: t, hello: hello{uid: []byte{1}, name: "early", dictionary: hash(dict), maxFrame: 254,
		receiveWindow: 254, window: 1, boot: 7, ticksPerSecond: 1000}}
	lines := make(chan net.Conn, 1)
	hub, err := New(Options{Timeout: watchdog, Ports: []PortOptions{{Path: "wire", Opener: OpenerFunc(func(string, int) (Port, error) {
		select {
		case c := <-lines:
			return c, nil
		default:
			return nil, fs.ErrNotExist
		}
	})}}})
	must(t, err)
	at := newRecorder()
	defer serve(t, hub, at)()

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
	for offset := 0; ; {
		ask := d.await(frameMessage)
		piece := dict[offset:]
		offset = len(dict)
		d.write(w.session, frame{kind: frameReply, number: ask.number, payload: packReply(carrier.Done(piece), 200)})
		if len(piece) == 0 {
			break
		}
	}
	if f := d.await(frameAck); f.number != 0 {
		t.Errorf("frame %d is acknowledged", f.number)
	}
	if got := at.all("signal"); len(got) != 1 || signalOf(t, got[0].message).data != int64(5) {
		t.Errorf("the handler was told %+v", got)
	}
}
