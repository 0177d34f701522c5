package serial

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestSpecification checks that every example in firmware-protocol.md is one of the vectors, byte for byte, and that
// the limits it gives are those of the code.
func TestSpecification(t *testing.T) {
	data, err := os.ReadFile("../../firmware-protocol.md")
	must(t, err)
	known := make(map[string]bool)
	for _, f := range readVectors(t).Frames {
		known[f.Wire] = true
	}
	examples := 0
	for _, block := range regexp.MustCompile("(?s)```wire\n(.*?)```").FindAllStringSubmatch(string(data), -1) {
		for line := range strings.Lines(block[1]) {
			line, _, _ = strings.Cut(line, "#")
			wire := strings.Join(strings.Fields(line), "")
			if wire == "" {
				continue
			}
			examples++
			if !known[wire] {
				t.Errorf("the example is not in frames.json: %s", line)
			}
		}
	}
	if examples < 15 {
		t.Errorf("%d examples", examples)
	}
	if n := strings.Count(string(data), "\n"); n >= 450 {
		t.Errorf("the specification has %d lines", n)
	}
}

// specHub keeps what a hub's line tells its owner.
type specHub struct{ got []arrival }

func (h *specHub) connected(time.Time, *hubLine, *peer) {}
func (h *specHub) forgot(*peer)                         {}
func (h *specHub) disconnected(*peer, error)            {}
func (h *specHub) arrived(_ time.Time, p *peer, a arrival) {
	h.got = append(h.got, a)
	if a.in != nil {
		p.link.consumed()
		p.link.answer(a.in, nil)
	}
}

// TestSpokenExample speaks the specification's example to a hub: it answers as the specification says.
func TestSpokenExample(t *testing.T) {
	wires := make(map[string][]byte)
	for _, f := range readVectors(t).Frames {
		wires[f.Name] = unhex(t, f.Wire)
	}
	wire := func(name string) []byte {
		if wires[name] == nil {
			t.Fatalf("no frame is called %q", name)
		}
		return wires[name]
	}
	owner := new(specHub)
	hub := newTestHub(owner, nil)
	now := time.Unix(1e9, 0)
	say := func(name string) []byte {
		hub.receive(now, wire(name))
		answer, _ := hub.pull(now, nil)
		return answer
	}
	if got := say("HELLO of a device with a dictionary"); !bytes.HasPrefix(got, append([]byte{0}, wire("the hub's answer: session 1234, a device it did not know")...)) {
		t.Errorf("HELLO is answered with %x", got)
	}
	hub.receive(now, wire("one reading: light/lux is 512 at 300 ticks"))
	got := say("two readings, 20 ticks apart, the first 980 after the one before it")
	if want := wire("ACK: all up to 1 is done"); !bytes.Equal(got, want) {
		t.Errorf("the readings are answered with %x, want %x", got, want)
	}
	if len(owner.got) != 2 {
		t.Fatalf("%d frames arrived", len(owner.got))
	}
	dict, err := parseDictionary(unhex(t, readVectors(t).Dictionaries[0].Text))
	must(t, err)
	var ticks []uint32
	for _, a := range owner.got {
		rs, at, err := parseReadings(a.payload, dict, timeline{begun: len(ticks) > 0, ticks: 300})
		must(t, err)
		for range rs {
			ticks = append(ticks, at.ticks)
		}
	}
	if len(ticks) != 3 || ticks[0] != 300 || ticks[2] != 1300 {
		t.Errorf("ticks %v", ticks)
	}
	if got := say("PING asks"); !bytes.Contains(got, []byte{0xa3}) {
		t.Errorf("PING is answered with %x", got)
	}
}
