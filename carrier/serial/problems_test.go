//go:build linux || darwin

package serial

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/device"
	"sighub/carrier/serial/internal/wire"
	"sighub/carrier/serial/port"
	"sighub/carrier/serial/port/discovery"
)

// awaitProblems waits until the first port's problems are those that begin so.
func awaitProblems(t *testing.T, s *Server, want ...string) []Problem {
	t.Helper()
	var got []Problem
	for deadline := time.Now().Add(watchdog); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		got = s.Ports()[0].Problems
		if slices.EqualFunc(got, want, func(p Problem, want string) bool { return strings.HasPrefix(p.What, want) }) {
			for _, p := range got {
				if p.Remedy == "" || p.Since.IsZero() || strings.ContainsFunc(p.What, func(r rune) bool { return r < ' ' || r > '~' }) {
					t.Errorf("%+q", p)
				}
			}
			return got
		}
	}
	t.Fatalf("the problems are %+v, want %q", got, want)
	return nil
}

// TestRefusedSendersStand: senders that the hub refuses stand among the problems for as long as it does, a line for each cause.
// They are logged once for each cause.
func TestRefusedSendersStand(t *testing.T) {
	senders := []device.Sender{{Name: "good", Events: []device.Event{{Name: "e"}}}}
	for n := range 20 {
		senders = append(senders, device.Sender{Name: fmt.Sprintf("taken%02d", n)}, device.Sender{Name: fmt.Sprintf("odd%02d", n)})
	}
	b := newBench(t, func(o *Options, d *device.Options) {
		o.Retry, o.MaxSenders = 10*time.Millisecond, 31
		d.Senders = senders
	})
	exists := carrier.NewRefusal("hub: sender is already connected", "exists")
	name := carrier.NewRefusal("hub: bad name", "name")
	free := make(chan struct{})
	b.atHub.handle = func(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
		err := error(nil)
		switch text := m.Params.String(); {
		case strings.Contains(text, `"odd`):
			err = fmt.Errorf("%w: \x1b[31m", name)
		case strings.Contains(text, `"taken`):
			select {
			case <-free:
			default:
				err = fmt.Errorf("%w: by another", exists)
			}
		}
		if err != nil {
			respond(carrier.Failed(err))
			return
		}
		respond(carrier.Done(nil))
	}
	b.start(t)
	ps := awaitProblems(t, b.hub, `the hub refuses the sender "odd00": hub: bad name: \x1b[31m (and 14 more)`,
		`the hub refuses the sender "taken00": hub: sender is already connected: by another (and 14 more)`,
		`the hub refuses the sender "taken15": carrier: limit reached: the dictionary has 41 senders, and the hub takes 31 of a device (and 9 more)`)
	if !strings.Contains(ps[1].Remedy, "{device}.{sender}") {
		t.Errorf("%+v", ps)
	}
	b.atHub.wait(t, methodAddSender, 31+5*30) // refused again and again
	info := b.hub.Ports()[0].Device
	if info.Refused["limit"] != 10 || info.LatestRefusal == nil {
		t.Errorf("%+v", info)
	}
	for cause, n := range map[string]int{"exists": 15, "name": 15, "limit": 10} {
		if s := b.log.String(); strings.Count(s, fmt.Sprintf("cause=%s senders=%d ", cause, n)) != 1 ||
			strings.Count(s, "the hub refuses senders of a device") != 3 {
			t.Error(s)
		}
	}
	close(free)
	awaitProblems(t, b.hub, `the hub refuses the sender "odd00"`, `the hub refuses the sender "taken15": carrier: limit reached`)
	for _, m := range b.atHub.all(methodAddSender) {
		if strings.Contains(m.message.Params.String(), "19") {
			t.Fatalf("a sender beyond the limit is offered: %s", m.message.Params)
		}
	}
}

// TestRefusedMessagesStand: the same for senders that a device adds by messages. What it has added already is no refusal.
func TestRefusedMessagesStand(t *testing.T) {
	b := newBench(t, func(_ *Options, d *device.Options) { d.Senders = nil })
	added := make(map[string]bool)
	b.atHub.handle = func(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
		text := m.Params.String()
		err := error(nil)
		switch {
		case m.Method == methodAddSender && (added[text] || strings.Contains(text, "taken")):
			err = fmt.Errorf("%w", carrier.NewRefusal("hub: sender is already connected", "exists"))
		case m.Method == methodAddSender:
			added[text] = true
		case m.Method != methodRemoveSender:
			err = fmt.Errorf("%w: %s", carrier.ErrDenied, m.Method)
		}
		if err != nil {
			respond(carrier.Failed(err))
			return
		}
		respond(carrier.Done(nil))
	}
	b.start(t)
	hub := b.atDevice.wait(t, "connected", 1).id
	ask := func(method, sender string, want carrier.Status) {
		t.Helper()
		r, err := call(t, b.device, hub, method, carrier.Object{{Key: "sender", Value: sender}, {Key: "events", Value: []string{"e"}}})
		if err != nil || r.Status != want {
			t.Fatalf("%s %s: %+v, %v", method, sender, r, err)
		}
	}
	ask(methodAddSender, "mine", carrier.StatusDone)
	ask(methodAddSender, "mine", carrier.StatusFailed)
	awaitProblems(t, b.hub)
	if r := b.hub.Ports()[0].Device.LatestRefusal; r != nil {
		t.Errorf("%+v", r)
	}
	ask(methodAddSender, "taken\x1b", carrier.StatusFailed)
	ask(methodAddSender, "taken too", carrier.StatusFailed)
	awaitProblems(t, b.hub, `the hub refuses the sender "taken\x1b": hub: sender is already connected (and 1 more)`)
	ask(methodRemoveSender, "taken too", carrier.StatusDone)
	awaitProblems(t, b.hub, `the hub refuses the sender "taken\x1b": hub: sender is already connected`)
	ask("add_listener", "x", carrier.StatusDenied)
	if r := b.hub.Ports()[0].Device.LatestRefusal; r == nil || r.Cause != "denied" {
		t.Errorf("%+v", r)
	}
	for n := range 300 {
		ask(methodAddSender, fmt.Sprint("taken ", n), carrier.StatusFailed)
	}
	b.hub.mu.Lock()
	defer b.hub.mu.Unlock()
	if n := len(b.hub.lines[0].client.senders.refused); n != 256 {
		t.Errorf("%d refusals are remembered", n)
	}
}

// TestBadDictionaryStands: a dictionary that cannot be used stands among the problems, and readings are refused, not counted as
// taken.
func TestBadDictionaryStands(t *testing.T) {
	for _, bad := range []string{"\x01li\xffght\x02open", "\x02open\x04-1", "light", "\x7f"} {
		d, lines, hub, log := newWiredHub(t, newRecorder())
		d.hello.Dictionary = wire.HashDictionary([]byte(bad))
		w := d.connect(lines)
		for _, piece := range [][]byte{[]byte(bad), nil} {
			ask := d.await(wire.FrameMessage)
			d.write(w.Session, wire.Frame{Kind: wire.FrameReply, Number: ask.Number, Payload: wire.PackReply(carrier.Done(piece), 200)})
		}
		awaitProblems(t, hub, "the device's dictionary cannot be used, so its readings are refused: ")
		reading := wire.Frame{Kind: wire.FrameEvent, Payload: (&wire.Timeline{}).Append(nil, wire.Reading{Value: []byte{5}}, 1)}
		if r := wire.UnpackReply(d.insist(w.Session, reading)); r.Status != carrier.StatusMalformed {
			t.Errorf("%q: a reading is answered with %+v", bad, r)
		}
		if info := hub.Ports()[0].Device; info.Readings != 0 || info.Refused["malformed"] != 2 {
			t.Errorf("%q: %+v", bad, info)
		}
		if s := log.String(); strings.Count(s, "dictionary of a device cannot be used") != 1 || strings.Count(s, "what=frame") != 1 {
			t.Error(s)
		}
	}
}

// TestOddNames: a device whose name is not plain text is served, under a harmless form of it, and the port says what to do. A
// name that the port gives makes its own irrelevant.
func TestOddNames(t *testing.T) {
	for _, test := range []struct{ name, want string }{
		{"K\xfcche", `K\xfcche`}, {"a\nb", `a\nb`}, {"\x1b[31mred", `\x1b[31mred`}, {"a\x00b", `a\x00b`}, {"\u202eabc", `\u202eabc`},
		{"zero\u200bwidth", `zero\u200bwidth`}, {"Küche", "Küche"}, {`a"b\c`, `a"b\c`},
	} {
		for _, given := range []string{"", "porch"} {
			s, err := Listen(Options{Ports: []PortOptions{{Port: "x", Name: given}}})
			must(t, err)
			h := newRecorder()
			s.handler = carrier.AsSignalHandler(h)
			l := newLine(s, &s.options.Ports[0], discovery.Port{Path: "x"})
			s.lines = append(s.lines, l)
			hello := wire.Hello{UID: []byte{1}, Name: test.name, Firmware: test.name, ReceiveWindow: 60, MaxFrame: 60, Window: 1, TicksPerSecond: 1000}
			frame := wire.AppendFrame([]byte{0}, wire.Device, wire.CRCStart, wire.Frame{Kind: wire.FrameHello, Payload: hello.Pack()})
			s.mu.Lock()
			listeningEnd{l.end, &l.heard}.Receive(time.Now(), frame)
			s.mu.Unlock()
			c := h.wait(t, "connected", 1).client
			want := test.want
			if given != "" {
				want = given
			}
			p := s.Ports()[0]
			if c.Name != want || p.Device == nil || p.Device.Name != want || p.Device.Firmware != test.want {
				t.Errorf("%q: %q, %+v", test.name, c.Name, p.Device)
			}
			if odd := test.name != test.want && given == ""; odd != (len(p.Problems) == 1 && strings.Contains(p.Problems[0].What, test.want)) {
				t.Errorf("%q: %+v", test.name, p.Problems)
			}
			s.mu.Lock()
			l.end.Drop(carrier.ErrUnplugged)
			s.mu.Unlock()
			s.running.Wait()
		}
	}
}

// TestTextInsteadOfFrames: text that arrives stands among the problems at once, or soon if it has no lines or another code; other
// bytes do when they go on. A device that says HELLO ends that.
func TestTextInsteadOfFrames(t *testing.T) {
	now := time.Unix(1e9, 0)
	for name, test := range map[string]struct {
		data  string
		times int
		want  string
	}{
		"csv":           {"temp:21.5;hum:48\r\n", 1, `text arrives instead of frames: "temp:21.5;hum:48"`},
		"part of lines": {"ignored\nlast whole\nbeg", 1, `text arrives instead of frames: "last whole"`},
		"latin1":        {"Temp: 21.5 \xb0C\r\n", 2, `text arrives instead of frames: "Temp: 21.5 \xb0C"`},
		"ansi":          {"\x1b[0;32mI (1234)\x1b[0m\r\n", 1, `text arrives instead of frames: "\x1b[0;32mI (1234)\x1b[0m"`},
		"no end":        {"21.5 ", 2, `text arrives instead of frames: "21.5 21.5 "`},
		"UTF-8":         {"温度は二十一度\n", 1, `text arrives instead of frames: "`},
		"zeros":         {"21.5\x00", 3, `text arrives instead of frames: "21.5"`},
		"long":          {strings.Repeat("0123456789", 100), 2, `text arrives instead of frames: "` + strings.Repeat("0123456789", 20) + `"`},
		"byte by byte":  {"4", 5, `text arrives instead of frames: "44444"`},
		"too few":       {"ab", 1, ""},
		"binary":        {"\xaa\x55\x01\x37\x00\xff\x03\xe8", 1, ""},
		"binary for long": {"\xaa\x55\x01\x37\x00\xff\x03\xe8", 8,
			`bytes arrive that are neither frames nor text: aa55013700ff03e8aa55013700ff03e8`},
	} {
		log := new(logBuffer)
		s, err := Listen(Options{Ports: []PortOptions{{Port: "x"}}, Logger: slog.New(slog.NewTextHandler(log, nil))})
		must(t, err)
		s.handler = carrier.AsSignalHandler(newRecorder())
		l := newLine(s, &s.options.Ports[0], discovery.Port{Path: "x"})
		at := now
		for range test.times {
			s.mu.Lock()
			listeningEnd{l.end, &l.heard}.Receive(at, []byte(test.data))
			s.mu.Unlock()
			at = at.Add(400 * time.Millisecond)
		}
		s.mu.Lock()
		problems := l.problems(at)
		later := l.problems(at.Add(stillOfText))
		s.mu.Unlock()
		got := ""
		if len(problems) > 0 {
			got = problems[0].What
		}
		if got != test.want && (name != "UTF-8" || !strings.HasPrefix(got, test.want)) || len(later) > 0 {
			t.Errorf("%s: %q, want %q; later %+v", name, got, test.want, later)
		}
		if n := strings.Count(log.String(), "text arrives instead of frames"); n > 1 || (n == 1) != strings.HasPrefix(test.want, "text") {
			t.Errorf("%s: %s", name, log)
		}
		hello := wire.Hello{UID: []byte{1}, ReceiveWindow: 60, MaxFrame: 60, Window: 1, TicksPerSecond: 1000}
		s.mu.Lock()
		listeningEnd{l.end, &l.heard}.Receive(at, wire.AppendFrame([]byte{0}, wire.Device, wire.CRCStart, wire.Frame{Kind: wire.FrameHello, Payload: hello.Pack()}))
		if p := l.problems(at); l.client == nil || len(p) > 0 {
			t.Errorf("%s: after HELLO: %+v", name, p)
		}
		l.end.Drop(carrier.ErrUnplugged)
		if p := l.problems(at); len(p) > 0 {
			t.Errorf("%s: after the device: %+v", name, p)
		}
		s.mu.Unlock()
		s.running.Wait()
	}
}

// TestFramesAreNoText: frames that are mostly text, and arrive in parts, are no text instead of frames, be they of a session or of one
// with a hub before this one.
func TestFramesAreNoText(t *testing.T) {
	log := new(logBuffer)
	s, err := Listen(Options{Ports: []PortOptions{{Port: "x"}}, Logger: slog.New(slog.NewTextHandler(log, nil))})
	must(t, err)
	s.handler = carrier.AsSignalHandler(newRecorder())
	l := newLine(s, &s.options.Ports[0], discovery.Port{Path: "x"})
	now, step := time.Unix(1e9, 0), time.Millisecond
	end := listeningEnd{l.end, &l.heard}
	receive := func(data []byte) {
		for part := range slices.Chunk(data, 12) {
			now = now.Add(step)
			s.mu.Lock()
			end.Receive(now, part)
			if p := l.problems(now); len(p) > 0 {
				t.Errorf("%+v", p)
			}
			s.mu.Unlock()
		}
	}
	message := wire.Frame{Kind: wire.FrameMessage, Payload: []byte("\xa2\x66method\x66signal\x66params\xa2\x64info\xa2\x66sender\x61s\x65event\x61e\x64data\x68\nreadings")}
	receive(wire.AppendFrame(nil, wire.Device, 0x1234, message)[20:]) // of a session with another hub
	hello := wire.Hello{UID: []byte{1}, ReceiveWindow: 60, MaxFrame: 60, Window: 1, TicksPerSecond: 1000}
	receive(wire.AppendFrame([]byte{0}, wire.Device, wire.CRCStart, wire.Frame{Kind: wire.FrameHello, Payload: hello.Pack()}))
	s.mu.Lock()
	welcome, _ := l.end.Pull(now, nil)
	s.mu.Unlock()
	var session uint16
	in := wire.Deframer{Limit: wire.MaxFrame}
	in.Feed(welcome, func(chunk []byte, _ bool) {
		if f, err := wire.ParseFrame(chunk, wire.Hub, 0); err == nil && f.Kind == wire.FrameHello {
			w, err := wire.ParseWelcome(f.Payload)
			must(t, err)
			session = w.Session
		}
	})
	step = 100 * time.Millisecond // on a slow line
	for range 3 {
		receive(wire.AppendFrame(nil, wire.Device, session, message))
		message.Number++
	}
	if strings.Contains(log.String(), "text arrives") || l.end.Stats.Frames != 4 {
		t.Error(log, l.end.Stats)
	}
	s.mu.Lock()
	l.end.Drop(carrier.ErrUnplugged)
	s.mu.Unlock()
	s.running.Wait()
}

// TestEchoStands: a line that returns what the hub sends says so, whether or not a device is there, until it has not done so for
// some time or is opened anew.
func TestEchoStands(t *testing.T) {
	log := new(logBuffer)
	s, err := Listen(Options{Ports: []PortOptions{{Port: "x"}}, Logger: slog.New(slog.NewTextHandler(log, nil))})
	must(t, err)
	l := newLine(s, &s.options.Ports[0], discovery.Port{Path: "x"})
	s.mu.Lock()
	defer s.mu.Unlock()
	echoes := func(now time.Time) bool {
		p := l.problems(now)
		return len(p) == 1 && p[0].What == "this line echoes what the hub sends" && p[0].Remedy != ""
	}
	now := time.Unix(1e9, 0)
	end := listeningEnd{l.end, &l.heard}
	receive := func(n uint64, data string) {
		l.end.Stats.Echoes += n
		end.Receive(now, []byte(data))
	}
	receive(0, "\x01\x00")
	if echoes(now) {
		t.Error("an echo before there is one")
	}
	for range 5 {
		receive(1, "\x01\x03\x7c\x81\x00") // as the link has found
	}
	l.end.Stats.Frames++ // a device is there, too
	receive(0, "\x00")
	if !echoes(now) || !echoes(now.Add(stillOfText-1)) || echoes(now.Add(stillOfText)) {
		t.Errorf("%+v", l.problems(now))
	}
	l.heard.opened(l.end.Stats.Echoes)
	receive(0, "\x00")
	if echoes(now) {
		t.Error("the echo of the port before")
	}
	if n := strings.Count(log.String(), "this line echoes"); n > 1 {
		t.Error(log)
	}
}

// TestPrints: what a device prints between its frames is shown.
func TestPrints(t *testing.T) {
	pty, err := port.NewPTY("")
	must(t, err)
	defer pty.Close()
	hub, err := Listen(Options{Ports: []PortOptions{{Port: pty.Path()}}, Timeout: watchdog})
	must(t, err)
	at := newRecorder()
	serve(t, hub, at)
	d, err := device.New(func(ctx context.Context) (port.Port, error) {
		p, err := pty.Open(ctx)
		if err == nil {
			_, err = p.Write([]byte("\x00boot \x1b[1m42\r\nready\x00"))
		}
		return p, err
	}, device.Options{Timeout: watchdog})
	must(t, err)
	serve(t, d, newRecorder())
	at.wait(t, "connected", 1)
	if p := hub.Ports()[0]; p.Prints != `"ready"` || p.PrintsAt == nil || len(p.Problems) > 0 {
		t.Errorf("%+v", p)
	}
}
