package link

import (
	"bytes"
	"testing"
	"time"

	"sighub/carrier/serial/internal/wire"
)

// specHub keeps what a hub's line tells its owner.
type specHub struct{ got []Arrival }

func (h *specHub) Connected(time.Time, *HubEnd, *Device) {}
func (h *specHub) Forgot(*Device)                        {}
func (h *specHub) Disconnected(*Device, error)           {}
func (h *specHub) Arrived(_ time.Time, d *Device, a Arrival) {
	h.got = append(h.got, a)
	if a.In != nil {
		d.Link.Consumed()
		d.Link.Answer(a.In, nil)
	}
}

// TestSpokenExample speaks the specification's example to a hub: it answers as the specification says.
func TestSpokenExample(t *testing.T) {
	vectors := readVectors(t)
	wires := make(map[string][]byte)
	for _, f := range vectors.Frames {
		wires[f.Name] = unhex(t, f.Wire)
	}
	spoken := func(name string) []byte {
		if wires[name] == nil {
			t.Fatalf("no frame is called %q", name)
		}
		return wires[name]
	}
	owner := new(specHub)
	hub := newTestHub(owner, nil)
	now := time.Unix(1e9, 0)
	say := func(name string) []byte {
		hub.Receive(now, spoken(name))
		answer, _ := hub.Pull(now, nil)
		return answer
	}
	if got := say("HELLO of a device with a dictionary"); !bytes.HasPrefix(got, append([]byte{0}, spoken("the hub's answer: session 1234, a device it did not know")...)) {
		t.Errorf("HELLO is answered with %x", got)
	}
	hub.Receive(now, spoken("one reading: light/lux is 512 at 300 ticks"))
	got := say("two readings, 20 ticks apart, the first 980 after the one before it")
	if want := spoken("ACK: all up to 1 is done"); !bytes.Equal(got, want) {
		t.Errorf("the readings are answered with %x, want %x", got, want)
	}
	if len(owner.got) != 2 {
		t.Fatalf("%d frames arrived", len(owner.got))
	}
	dict, err := wire.ParseDictionary(unhex(t, vectors.Dictionaries[0].Text))
	must(t, err)
	var ticks []uint32
	for _, a := range owner.got {
		rs, at, err := wire.ParseReadings(a.Payload, dict, wire.Timeline{Begun: len(ticks) > 0, Ticks: 300})
		must(t, err)
		for range rs {
			ticks = append(ticks, at.Ticks)
		}
	}
	if len(ticks) != 3 || ticks[0] != 300 || ticks[2] != 1300 {
		t.Errorf("ticks %v", ticks)
	}
	if got := say("PING: the device asks"); !bytes.Contains(got, []byte{0xa3}) {
		t.Errorf("PING is answered with %x", got)
	}
}
