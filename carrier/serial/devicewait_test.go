//go:build linux || darwin

package serial

import (
	"bytes"
	"net"
	"slices"
	"testing"
	"time"

	"sighub/carrier/serial/internal/wire"
)

// TestDeviceWaits: the mark of a frame says how long its device can wait, by the bytes of readings that the device has unanswered and
// the times at which it took them.
func TestDeviceWaits(t *testing.T) {
	b := &cutBench{t: t, disk: newDisk(), lines: make(chan net.Conn), refuse: func(string) error { return nil }}
	d := &killedDevice{wiredDevice: wiredDevice{t: t, dict: lightDictionary(), hello: wire.Hello{UID: []byte{1}, Name: "raw", MaxFrame: 254,
		ReceiveWindow: 254, Window: 1, Boot: 7, TicksPerSecond: 1000, Ticks: 5000}}, bench: b}
	d.hello.Dictionary = wire.HashDictionary(d.dict)
	later := func(ticks, value byte) []byte { return append(wire.AppendUint(nil, uint64(ticks)<<3), value) }
	second := append(wire.AppendUint(nil, 3000<<3), 5)
	b.hubUntil(-1, d.do(func(killed <-chan struct{}) {
		d.begin()
		for n, frame := range []struct {
			payload  []byte
			min, max time.Duration
		}{
			{append(wire.AppendInt(nil, -1-1000), later(1, 5)...), promptly, promptly},               // its rate is not known
			{second, time.Second, 3 * time.Second},                                                   // 6 bytes a second
			{bytes.Repeat(later(10, 5), 20), promptly, 70 * time.Millisecond},                        // 67; it had room for all, and a little more
			{later(10, 5), promptly, 400 * time.Millisecond},                                         // as fast, and few bytes
			{nil, promptly, 400 * time.Millisecond},                                                  // no readings
			{append(wire.AppendInt(nil, -1-4900), later(1, 5)...), promptly, 400 * time.Millisecond}, // the same after some time
		} {
			before := len(b.disk.waits())
			if _, ok := d.send(uint8(n), killedFrame{kind: wire.FrameEvent, payload: frame.payload}, killed); !ok {
				t.Errorf("frame %d is not answered", n)
				return
			}
			got := b.disk.waits()[before:]
			if len(got) != 1 || got[0] < frame.min || got[0] > frame.max {
				t.Errorf("after frame %d the device can wait for %v, want %v to %v", n, got, frame.min, frame.max)
			}
		}
	}))
}

// waits returns for how long devices could wait for what is on record.
func (d *disk) waits() []time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.within)
}
