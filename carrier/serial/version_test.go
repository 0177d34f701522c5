package serial

import (
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestLaterVersions: a device of another version of the protocol is not heard, and that is logged now and then; items and
// frames that the hub does not know do not disturb it.
func TestLaterVersions(t *testing.T) {
	var out logBuffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	owner := new(specHub)
	hub := newTestHub(owner, func(c *hubConfig) { c.timeout, c.log = time.Minute, log })
	now := time.Unix(1e9, 0)
	hello := func(payload []byte) []byte {
		hub.receive(now, appendFrame([]byte{0}, crcStart, frame{kind: frameHello, payload: payload}))
		answer, _ := hub.pull(now, nil)
		return answer
	}
	for range 180 {
		if got := hello(appendBytes(appendUint(nil, 2), []byte{1})); len(got) > 0 {
			t.Fatalf("another version is answered with %x", got)
		}
		now = now.Add(500 * time.Millisecond)
	}
	if n := strings.Count(out.String(), "version 2"); n != 2 || !strings.Contains(out.String(), "remedy") {
		t.Errorf("logged %d times:\n%s", n, out.String())
	}
	h := helloOf(1)
	if got := hello(append(h.pack(), 0x82, 1, 2)); len(got) == 0 || hub.peer == nil {
		t.Fatal("a HELLO with an item of a later version is not answered")
	}
	for kind := range frameType(8) {
		if kind != frameHello && kind != frameEvent && kind != frameMessage {
			hub.receive(now, appendFrame(nil, 0x1234, frame{kind: kind, number: 17, payload: []byte{0x61, 'x', 0x82, 1, 2}}))
		}
	}
	if hub.stats.bad > 0 || hub.asking || len(owner.got) > 0 {
		t.Errorf("%+v, %+v", hub.stats, owner.got)
	}
	hub.receive(now, appendFrame(nil, 0x1234, frame{kind: frameMessage, payload: []byte{0xa0}}))
	if len(owner.got) != 1 {
		t.Error("the session does not go on")
	}
}

// helloOf returns a HELLO that lacks nothing, with all its items at other values than their defaults.
func helloOf(boot uint32) hello {
	return hello{uid: []byte{1}, name: "n", boot: boot, receiveWindow: 254, maxFrame: 254, window: 4, ticksPerSecond: 999, fastest: 1e6}
}
