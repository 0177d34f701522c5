package link

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"sighub/carrier/serial/internal/wire"
)

func TestResendTimer(t *testing.T) {
	device := resendTimer{}
	device.sample(time.Second)
	for _, want := range []int64{50, 100, 200, 400, 800, 1000, 1000} {
		if got := device.timeout(); got.Milliseconds() != want {
			t.Errorf("a device waits %v, want %d ms", got, want)
		}
		device.double()
	}
	device.progress()
	if device.timeout() != firstResend {
		t.Error("progress is not noticed")
	}
	hub := resendTimer{measures: true}
	for range 100 {
		hub.sample(2 * time.Millisecond)
	}
	if got := hub.timeout(); got != minResend {
		t.Errorf("on a quick line the hub waits %v", got)
	}
	for range 100 {
		hub.sample(80 * time.Millisecond)
	}
	if got := hub.timeout(); got < 80*time.Millisecond || got > 200*time.Millisecond {
		t.Errorf("on a slow line the hub waits %v", got)
	}
}

// TestWindows: new frames are sent while both windows have room, that of frames and that of bytes; a frame that is larger than
// the latter is sent alone.
func TestWindows(t *testing.T) {
	var out unanswered
	payload := make([]byte, 100)
	for range 6 {
		out.queue(wire.FrameMessage, 1, payload)
	}
	send := func(frames, bytes int) (n int) {
		for out.due(frames, bytes) != nil {
			out.sent(time.Time{})
			n++
		}
		return n
	}
	size := wire.FrameSize(len(payload))
	for _, c := range []struct{ frames, bytes, want int }{
		{8, size - 1, 1}, {8, size, 0}, {8, 2*size - 1, 0}, {8, 2 * size, 1}, {1, 8 * size, 0}, {3, 8 * size, 1}, {8, 100 * size, 3},
	} {
		if n := send(c.frames, c.bytes); n != c.want {
			t.Errorf("with windows of %d frames and %d bytes %d are sent, want %d", c.frames, c.bytes, n, c.want)
		}
	}
}

// TestCumulative: an ACK stands for a run of frames, and never for one whose reply says more.
func TestCumulative(t *testing.T) {
	var b inbox
	var in []*Incoming
	for n := range uint8(6) {
		in = append(in, b.take(n))
	}
	sent := func() (s []int) { // replies as they are sent: 100 and more are cumulative
		for f, all := b.due(4); f != nil; f, all = b.due(4) {
			n := int(f.number)
			if all {
				n += 100
			}
			s = append(s, n)
		}
		return s
	}
	check := func(want ...int) {
		t.Helper()
		got := sent()
		if len(got) != len(want) {
			t.Fatalf("sent %v, want %v", got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("sent %v, want %v", got, want)
			}
		}
	}
	b.answer(in[0], nil)
	b.answer(in[1], nil)
	check(101)
	b.answer(in[3], nil) // 2 is not answered yet
	check(3)
	b.answer(in[2], []byte{0, 1})
	b.answer(in[2], []byte{0, 2}) // a second one
	check(2)
	b.answer(in[4], nil)
	check(4)             // 2 may not have arrived
	b.answer(in[5], nil) // three after it: no longer in question? one more is
	check(5)
	if b.take(2) != nil || b.take(0) != nil || b.take(9) != nil {
		t.Error("a frame was taken out of turn")
	}
	check(100, 2)
	b.answer(b.take(6), nil)
	check(106)
	late := b.take(7)
	for n := uint8(8); n < 16; n++ {
		b.answer(b.take(n), nil)
	}
	if b.answer(late, nil) {
		t.Error("a reply that nobody waits for was taken")
	}
}

func TestConsole(t *testing.T) {
	var b bytes.Buffer
	c := console{log: slog.New(slog.NewTextHandler(&b, nil)), port: "p"}
	now := time.Unix(1e9, 0)
	c.write(now, []byte("one\r\n\r\ntwo\n"+strings.Repeat("x", 5000)))
	if n := strings.Count(b.String(), "\n"); n != 3 || b.Len() > 1000 {
		t.Errorf("%d lines, %d bytes", n, b.Len())
	}
	c.write(now, bytes.Repeat([]byte("flood\n"), 1000))
	if n := strings.Count(b.String(), "flood"); n != consoleBurst-3 {
		t.Errorf("%d lines of a flood", n)
	}
	c.write(now.Add(time.Second), []byte("later\n"))
	if !strings.Contains(b.String(), "skipped=983") {
		t.Errorf("what was skipped is not told: %s", b.String()[b.Len()-100:])
	}
	for text, want := range map[string]bool{"ok\r\n": true, "Grüße": true, "\x1b[0m": true, "\x01ok": false, "\xff\xfe": false, "": false} {
		if isText([]byte(text)) != want {
			t.Errorf("%q is text: %v", text, !want)
		}
	}
}

// TestRemembered: the hub remembers a bounded number of devices that have gone.
func TestRemembered(t *testing.T) {
	var ds Devices
	for n := range 3 * maxAbsent {
		ds.leave(ds.meet(time.Unix(1e9, 0), wire.Hello{UID: []byte{byte(n), byte(n >> 8)}, TicksPerSecond: 1}))
	}
	if len(ds.byID) != maxAbsent {
		t.Errorf("%d", len(ds.byID))
	}
}
