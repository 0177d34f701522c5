//go:build linux || darwin

package serial

import (
	"bytes"
	"cmp"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/link"
	"sighub/carrier/serial/internal/wire"
)

// A killedFrame is a reliable frame during which a hub is killed.
type killedFrame struct {
	kind    wire.FrameType
	payload []byte
	plain   bool   // the device has no dictionary
	event   string // on record; empty: none
	answer  []byte // as it is without a kill; nil: ACK
	lost    []byte // what answers it instead, if its answer was lost; nil: the same
}

func packedMessage(t *testing.T, method string, params any) []byte {
	t.Helper()
	p, err := wire.PackMessage(&carrier.Message{Method: method, Params: carrier.ValueOf(params)})
	must(t, err)
	return p
}

func killedFrames(t *testing.T) map[string]killedFrame {
	info := carrier.Object{{Key: "sender", Value: "light"}, {Key: "event", Value: "lux"}}
	signal := carrier.Object{{Key: "info", Value: info}, {Key: "data", Value: 5}}
	refused := func(status carrier.Status, text string) []byte {
		return wire.PackReply(carrier.Reply{Status: status, Exception: text}, 250)
	}
	mark := wire.AppendInt(nil, -1-1000)
	lost := refused(carrier.StatusFailed, link.ErrAnswerLost.Error())
	return map[string]killedFrame{
		"reading":          {wire.FrameEvent, append(bytes.Clone(mark), 8, 5), false, "light lux 5", nil, nil},
		"refused reading":  {wire.FrameEvent, append(bytes.Clone(mark), 8, 5, 8, 0x61, 0xff, 8, 6), false, "light lux 5", []byte{0x21}, nil},
		"no reading":       {wire.FrameEvent, mark, false, "", nil, nil},
		"empty":            {wire.FrameEvent, nil, false, "", nil, nil},
		"malformed":        {wire.FrameEvent, []byte{0x61, 'x'}, false, "", []byte{0x23}, nil},
		"no dictionary":    {wire.FrameEvent, append(bytes.Clone(mark), 8, 5), true, "", []byte{0x23}, nil},
		"signal":           {wire.FrameMessage, packedMessage(t, "signal", signal), true, methodSignal, nil, nil},
		"answered message": {wire.FrameMessage, packedMessage(t, "ask", 1), true, "ask 1", append([]byte{0}, "\x66answer"...), lost},
		"no message":       {wire.FrameMessage, []byte{0xa1, 0x01}, true, "", []byte{0x23}, nil},
		"unknown number":   {wire.FrameMessage, []byte{5}, true, "", []byte{0x20}, nil},
	}
}

// TestKilledAtEachFrame: whatever a frame brings, and before whatever step the hub is killed, the next one goes on behind the frame if
// and only if it is on record; then the frame is answered when it comes again; and one that was answered is on record.
func TestKilledAtEachFrame(t *testing.T) {
	for name, f := range killedFrames(t) {
		for steps := range 10 {
			t.Run(fmt.Sprint(name, ", step ", steps), func(t *testing.T) {
				t.Parallel()
				b := &cutBench{t: t, disk: newDisk(), lines: make(chan net.Conn), refuse: func(string) error { return nil }}
				d := &killedDevice{wiredDevice: wiredDevice{t: t, dict: lightDictionary(), hello: wire.Hello{UID: []byte{1}, Name: "raw", MaxFrame: 254,
					ReceiveWindow: 254, Window: 1, Boot: 7, TicksPerSecond: 1000}}, bench: b, plain: f.plain}
				if !f.plain {
					d.hello.Dictionary = wire.HashDictionary(d.dict)
				}
				var answered, again bool
				var answer []byte
				done := d.do(func(killed <-chan struct{}) {
					d.begin()
					answer, answered = d.send(0, f, killed)
				})
				b.hubUntil(steps, done)
				<-done
				b.hubUntil(-1, d.do(func(killed <-chan struct{}) {
					w := d.begin()
					recorded := w.Known && w.Expects == 1
					if w.Known && w.Expects != 1 || answered && !recorded {
						t.Errorf("after frame 0 was answered %t, the hub expects %d, known %t", answered, w.Expects, w.Known)
					}
					if count := b.count(f.event); f.event != "" && (count == 1) != recorded {
						t.Errorf("frame 0 is on record %d times, but taken for known: %t", count, recorded)
					}
					answer, again = d.send(0, f, killed)
					want := string(f.answer)
					if recorded {
						want = cmp.Or(string(f.lost), want)
					}
					if !again || !strings.HasPrefix(string(answer), want) || (answer == nil) != (want == "") {
						t.Errorf("frame 0, on record: %t, is answered %t: %x, want %x", recorded, again, answer, want)
					}
					if _, ok := d.send(1, f, killed); !ok {
						t.Error("the device hangs")
					}
				}))
				if n := b.count(f.event); f.event != "" && n != 2 {
					t.Errorf("%d events are on record: %q", n, b.disk.events)
				}
			})
		}
	}
}

// count counts the events on record that begin so.
func (b *cutBench) count(event string) (n int) {
	b.disk.mu.Lock()
	defer b.disk.mu.Unlock()
	for _, e := range b.disk.events {
		if strings.HasPrefix(e, event) {
			n++
		}
	}
	return n
}

// A killedDevice is a device of which the test plays every frame, on the line of a bench.
type killedDevice struct {
	wiredDevice
	bench   *cutBench
	plain   bool
	session uint16
	killed  chan struct{}
}

// do lets the device do something on a goroutine of its own, and returns a channel that is closed when it has. It is told when its
// line ends.
func (d *killedDevice) do(f func(killed <-chan struct{})) <-chan struct{} {
	done := make(chan struct{})
	d.killed = make(chan struct{})
	go func() {
		defer close(done)
		f(d.killed)
	}()
	return done
}

// begin connects, and gives the dictionary.
func (d *killedDevice) begin() wire.Welcome {
	ours, theirs := net.Pipe()
	d.conn, d.frames, d.welcomed = ours, make(chan wire.Frame, 100), make(chan wire.Welcome, 10)
	d.bench.mu.Lock()
	d.bench.current = ours
	d.bench.mu.Unlock()
	frames, welcomed, killed := d.frames, d.welcomed, d.killed
	go func() {
		defer close(killed)
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
					return
				}
				if w, err := wire.ParseWelcome(f.Payload); f.Kind == wire.FrameHello && err == nil {
					session = w.Session
					welcomed <- w
					return
				}
				f.Payload = slices.Clone(f.Payload)
				if f.Kind == wire.FramePing { // the hub asks nothing else before this is answered
					f.Payload = wire.AppendUint(nil, 5000)
					pong := wire.AppendFrame([]byte{0}, wire.Device, session, f)
					go func() { _, _ = ours.Write(pong) }()
					return
				}
				frames <- f
			})
		}
	}()
	d.bench.lines <- theirs
	w := d.greet()
	d.session = w.Session
	if !d.plain {
		d.giveDictionary(w.Session)
	}
	return w
}

// send sends a frame until it is answered or the hub is killed.
func (d *killedDevice) send(number uint8, f killedFrame, killed <-chan struct{}) (answer []byte, answered bool) {
	frame := wire.AppendFrame([]byte{0}, wire.Device, d.session, wire.Frame{Kind: f.kind, Number: number, Payload: f.payload})
	patience := time.After(watchdog)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	write := true
	for {
		if write {
			_, _ = d.conn.Write(frame)
		}
		write = false
		select {
		case got := <-d.frames:
			switch {
			case got.Number != number:
			case got.Kind == wire.FrameReply:
				return got.Payload, true
			case got.Kind == wire.FrameAck:
				return nil, true
			}
		case <-again.C:
			write = true
		case <-killed:
			return nil, false
		case <-patience:
			return nil, false
		}
	}
}
