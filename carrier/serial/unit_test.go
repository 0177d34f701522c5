package serial

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"sighub/carrier"
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

// TestCumulative: an ACK stands for a run of frames, and never for one whose reply says more.
func TestCumulative(t *testing.T) {
	var b inbox
	var in []*incoming
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

func TestReplies(t *testing.T) {
	const limit = 60
	for _, want := range []carrier.Reply{
		{},
		carrier.Done(7),
		carrier.Done("text"),
		{Status: carrier.StatusFailed, Exception: "why"},
		{Status: -1000},
	} {
		got := unpackReply(packReply(want, limit))
		if got.Status != want.Status || got.Exception != want.Exception || got.Response.String() != want.Response.String() {
			t.Errorf("%v arrives as %v", want, got)
		}
	}
	long := packReply(carrier.Failed(errors.New(strings.Repeat("é", 500))), limit)
	if r := unpackReply(long); len(long) > limit || r.Status != carrier.StatusFailed || len(r.Exception) < limit-8 {
		t.Errorf("%d bytes: %v", len(long), r)
	}
	if r := unpackReply(packReply(carrier.Done(strings.Repeat("x", 100)), limit)); r.Status != carrier.StatusTooLarge {
		t.Errorf("%v", r)
	}
	if r := unpackReply(packReply(carrier.Done(make(chan int)), limit)); r.Status != carrier.StatusFailed {
		t.Errorf("%v", r)
	}
	if r := unpackReply([]byte{0x61}); r.Status != carrier.StatusMalformed {
		t.Errorf("%v", r)
	}
	if r := unpackReply([]byte{0x21, 0x07}); r.Exception != "7" {
		t.Errorf("%v", r)
	}
}

func TestMessages(t *testing.T) {
	for _, c := range []struct{ name, payload string }{
		{"a reply", "\xa1\x66status\x00"},
		{"no map", "\x80"},
		{"nothing", ""},
		{"a method that is no text", "\xa1\x66method\x01"},
	} {
		if m, err := unpackPlain([]byte(c.payload)); !errors.Is(err, carrier.ErrMalformed) {
			t.Errorf("%s: %v, %v", c.name, m, err)
		}
	}
	if _, _, ok := unpackCompact([]byte{5, 0x61}); ok {
		t.Error("params that end early")
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

func TestOptionErrors(t *testing.T) {
	for _, o := range []Options{
		{Ports: []PortOptions{{}}},
		{Ports: []PortOptions{{Port: "a"}, {Port: "a"}}},
		{Ports: []PortOptions{{Port: "a", Baud: -1}}},
		{MaxFrame: 59}, {MaxFrame: 5000}, {Window: 9}, {Window: -1},
		{Ask: 2 * time.Second, Timeout: time.Second},
	} {
		if _, err := New(o); err == nil || !strings.HasPrefix(err.Error(), "serial: ") {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for _, o := range []DeviceOptions{
		{UID: make([]byte, 13)},
		{Name: "a name that is much too long", Firmware: "1.2.3"},
		{Senders: []Sender{{Name: "a"}, {Name: "a"}}},
		{Senders: []Sender{{}}},
		{Senders: []Sender{{Name: "a\x02b"}}},
		{Senders: []Sender{{Name: "a", Events: []Event{{Name: ""}}}}},
		{Senders: []Sender{{Name: "a", Events: []Event{{Name: "e", Unit: "\n"}}}}},
		{Senders: []Sender{{Name: "a", Events: []Event{{Name: "e", Exponent: 19}}}}},
		{Senders: []Sender{{Name: "a", Requests: []string{"\xff"}}}},
		{Senders: []Sender{{Name: strings.Repeat("a", maxDictionary)}}},
		{TicksPerSecond: 1e7}, {Ring: -1}, {Window: 10}, {MaxFrame: 20},
	} {
		if _, err := NewDevice(nil, o); err == nil || !strings.HasPrefix(err.Error(), "serial: ") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// TestRemembered: the hub remembers a bounded number of devices that have gone.
func TestRemembered(t *testing.T) {
	var ps peers
	for n := range 3 * absentPeers {
		ps.left(ps.meet(time.Unix(1e9, 0), hello{uid: []byte{byte(n), byte(n >> 8)}, ticksPerSecond: 1}))
	}
	if len(ps.byID) != absentPeers {
		t.Errorf("%d", len(ps.byID))
	}
	var d dictionaries
	for n := range 3 * maxDictionaries {
		d.add(uint32(n), nil)
	}
	if len(d) != maxDictionaries {
		t.Errorf("%d", len(d))
	}
}

func TestItems(t *testing.T) {
	deep := append(bytes.Repeat([]byte{0x81}, carrier.MaxDepth), 0)
	for name, c := range map[string]struct {
		data []byte
		ok   bool
	}{
		"as deep as may be":    {deep, true},
		"deeper":               {append([]byte{0x81}, deep...), false},
		"indefinite array":     {[]byte{0x9f, 1, 2, 0xff}, true},
		"indefinite map":       {[]byte{0xbf, 1, 2, 0xff}, true},
		"indefinite text":      {[]byte{0x7f, 0x61, 'a', 0xff}, true},
		"indefinite, mixed":    {[]byte{0x7f, 0x41, 'a', 0xff}, false},
		"half a pair":          {[]byte{0xbf, 1, 0xff}, false},
		"a break alone":        {[]byte{0xff}, false},
		"no UTF-8":             {[]byte{0x61, 0xff}, false},
		"a tag":                {[]byte{0xc1, 5}, true},
		"an endless tag":       {[]byte{0xdf, 5}, false},
		"an endless integer":   {[]byte{0x1f}, false},
		"a long simple value":  {[]byte{0xf8, 20}, false},
		"a claim of much more": {[]byte{0x5a, 0xff, 0xff, 0xff, 0xff}, false},
		"as many items":        {[]byte{0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe}, false},
		"the most items":       {[]byte{0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0xff}, false},
		"the longest string":   {[]byte{0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x41, 'a', 0xff}, false},
		"the largest integer":  {[]byte{0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, true},
	} {
		in := items{rest: c.data}
		in.raw("x")
		if (in.err == nil) != c.ok || (in.err == nil && len(in.rest) > 0) {
			t.Errorf("%s: %v", name, in.err)
		}
	}
}
