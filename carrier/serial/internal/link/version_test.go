package link

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"sighub/carrier/serial/internal/wire"
)

// TestLaterVersions: a device that speaks another version of the protocol is ignored, which is logged now and then. Items and
// frames that the hub does not know do no harm.
func TestLaterVersions(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	owner := new(specHub)
	hub := newTestHub(owner, func(c *HubConfig) { c.Timeout, c.Log = time.Minute, log })
	now := time.Unix(1e9, 0)
	hello := func(payload []byte) []byte {
		hub.Receive(now, wire.AppendFrame([]byte{0}, wire.Device, wire.CRCStart, wire.Frame{Kind: wire.FrameHello, Payload: payload}))
		answer, _ := hub.Pull(now, nil)
		return answer
	}
	for range 180 {
		if got := hello(wire.AppendBytes(wire.AppendUint(nil, 2), []byte{1})); len(got) > 0 {
			t.Fatalf("another version is answered with %x", got)
		}
		now = now.Add(500 * time.Millisecond)
	}
	if n := strings.Count(out.String(), "version 2"); n != 2 || !strings.Contains(out.String(), "remedy") {
		t.Errorf("logged %d times:\n%s", n, out.String())
	}
	h := helloOf(1)
	if got := hello(append(h.Pack(), 0x82, 1, 2)); len(got) == 0 || hub.device == nil {
		t.Fatal("a HELLO with an item of a later version is not answered")
	}
	for kind := range wire.FrameType(8) {
		if kind != wire.FrameHello && kind != wire.FrameEvent && kind != wire.FrameMessage {
			hub.Receive(now, wire.AppendFrame(nil, wire.Device, 0x1234, wire.Frame{Kind: kind, Number: 17, Payload: []byte{0x61, 'x', 0x82, 1, 2}}))
		}
	}
	if hub.Stats.BadFrames > 0 || hub.askHello || len(owner.got) > 0 {
		t.Errorf("%+v, %+v", hub.Stats, owner.got)
	}
	hub.Receive(now, wire.AppendFrame(nil, wire.Device, 0x1234, wire.Frame{Kind: wire.FrameMessage, Payload: []byte{0xa0}}))
	if len(owner.got) != 1 {
		t.Error("the session does not go on")
	}
}

// helloOf returns a HELLO that lacks nothing, with all its items at other values than their defaults.
func helloOf(boot uint32) wire.Hello {
	return wire.Hello{UID: []byte{1}, Name: "n", Boot: boot, ReceiveWindow: 254, MaxFrame: 254, Window: 4, TicksPerSecond: 999, FastestBaud: 1e6}
}
