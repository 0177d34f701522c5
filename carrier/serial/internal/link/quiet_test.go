package link

import (
	"log/slog"
	"testing"
	"time"

	"sighub/carrier/serial/internal/wire"
)

// TestQuiet: an end that is quiet answers noise with nothing, asks for HELLO once frames imply one session, and answers HELLO.
func TestQuiet(t *testing.T) {
	frame := func(session uint16, kind wire.FrameType, n uint8, payload string) []byte {
		return wire.AppendFrame(nil, wire.Device, session, wire.Frame{Kind: kind, Number: n, Payload: []byte(payload)})
	}
	const s = 0x1234
	for _, test := range []struct {
		name   string
		quiet  bool
		frames [][]byte
		asks   bool
	}{
		{"not quiet", false, [][]byte{frame(s, wire.FrameEvent, 1, "\x01\x02\x81")}, true},
		{"one", true, [][]byte{frame(s, wire.FrameEvent, 1, "\x01\x02\x81")}, false},
		{"the same again", true, [][]byte{frame(s, wire.FrameEvent, 1, "\x01"), frame(s, wire.FrameEvent, 1, "\x01"), frame(s, wire.FrameEvent, 1, "\x01"),
			frame(s, wire.FrameEvent, 1, "\x01")}, false},
		{"one length", true, [][]byte{frame(s, wire.FrameEvent, 1, "\x81"), frame(s, wire.FrameEvent, 2, "\x82"), frame(s, wire.FrameEvent, 3, "\x83"),
			frame(s, wire.FrameEvent, 4, "\x84")}, false},
		{"two sessions", true, [][]byte{frame(s, wire.FrameEvent, 1, "\x81"), frame(s+1, wire.FrameEvent, 2, "\x82\x82"), frame(s, wire.FrameEvent, 3, "\x83"),
			frame(s+1, wire.FrameEvent, 4, "\x84\x84")}, false},
		{"a session", true, [][]byte{frame(s, wire.FrameEvent, 1, "\x81"), frame(s, wire.FrameEvent, 1, "\x81"), frame(s, wire.FramePing, 0, "\x82\x82\x82"),
			frame(s, wire.FrameEvent, 2, "\x83")}, true},
		{"noise", true, [][]byte{{0x80, 0x81, 0xff, 0}, {0x99, 0x92, 0xf0, 0}, {0x90, 0xa1, 0xfe, 0xcc, 0}, {0xaa, 0xa9, 0}, {0xfe, 0x06, 0x41, 0x80, 0}}, false},
	} {
		l := NewHubEnd(HubConfig{Name: "port", Baud: 115200, MaxBaud: 115200, MaxFrame: 254, Window: 8, Ask: time.Second, Timeout: 3 * time.Second,
			Random: func() uint16 { return 7 }, Wake: func() {}, Quiet: test.quiet, Log: slog.New(slog.DiscardHandler)}, new(Devices), nil)
		l.Opened(false)
		now := time.Unix(1_700_000_000, 0)
		var wrote []byte
		for _, f := range test.frames {
			now = now.Add(100 * time.Millisecond)
			l.Receive(now, f)
			wrote, _ = l.Pull(now, wrote)
		}
		if asks := len(wrote) > 0; asks != test.asks {
			t.Errorf("%s: it writes % x", test.name, wrote)
		}
	}
}
