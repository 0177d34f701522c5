package hub_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/hub"
)

func TestDeliveryOrder(t *testing.T) {
	r, d := hub.NewRouter(hub.Options{}), newDiary()
	// Registered against the order of delivery, two of each kind.
	for _, n := range []string{"1", "2"} {
		listen(t, r, d, "specific"+n, "light", "#alarm")
		listen(t, r, d, "channel"+n, "", "#alarm")
		listen(t, r, d, "sender"+n, "light", "")
		listen(t, r, d, "router"+n, "", "")
	}
	s := addSender(t, r, "light", "#alarm", "lux")
	d.expect(t,
		"router1 light #connect", "router2 light #connect", "sender1 light #connect", "sender2 light #connect")
	trigger(t, s, "#alarm", "dark")
	d.expect(t,
		`router1 light #alarm "dark"`, `router2 light #alarm "dark"`, `sender1 light #alarm "dark"`, `sender2 light #alarm "dark"`,
		`channel1 light #alarm "dark"`, `channel2 light #alarm "dark"`, `specific1 light #alarm "dark"`, `specific2 light #alarm "dark"`)
	trigger(t, s, "lux", 512)
	d.expect(t, "router1 light lux 512", "router2 light lux 512", "sender1 light lux 512", "sender2 light lux 512")
	s.Remove()
	d.expect(t,
		"router1 light #disconnect removed", "router2 light #disconnect removed",
		"sender1 light #disconnect removed", "sender2 light #disconnect removed")
}

func TestConnectAndDisconnectAreChannels(t *testing.T) {
	r, d := hub.NewRouter(hub.Options{}), newDiary()
	listen(t, r, d, "any", "", hub.Connect)
	listen(t, r, d, "any", "", hub.Disconnect)
	listen(t, r, d, "b", "b", hub.Connect)
	addSender(t, r, "a").Remove()
	addSender(t, r, "b").Remove()
	d.expect(t, "any a #connect", "any a #disconnect removed", "any b #connect", "b b #connect", "any b #disconnect removed")
}

func TestConnectionData(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	r := hub.NewRouter(hub.Options{Now: func() time.Time { return now }})
	var got []hub.Event
	if _, err := r.AddListener("", "", func(ev hub.Event) { got = append(got, ev) }); err != nil {
		t.Fatal(err)
	}
	none := func(context.Context, string, carrier.Value) (any, error) { return nil, nil }
	s, err := r.AddSender("light", hub.SenderOptions{
		Events: []string{"lux", "#alarm", "lux", hub.Connect}, Requests: map[string]hub.RequestHandler{"read": none}, Default: none})
	if err != nil {
		t.Fatal(err)
	}
	trigger(t, s, "lux", nil)
	s.Remove()
	s.Remove() // once is enough
	want := []string{
		`{"events":["lux","#alarm","#disconnect","#connect"],"requests":["read",null],"time":"2026-05-01T12:00:00Z"}`,
		`null`,
		`{"events":["lux","#alarm","#disconnect","#connect"],"requests":["read",null],"reason":"removed","time":"2026-05-01T12:00:00Z"}`,
	}
	if len(got) != len(want) {
		t.Fatalf("heard %d events, want %d", len(got), len(want))
	}
	for i, ev := range got {
		if ev.Data.String() != want[i] || ev.Seq != uint64(i+1) || !ev.Time.Equal(now) {
			t.Errorf("event %d: number %d at %s: %s\nwant %s", i+1, ev.Seq, ev.Time, ev.Data, want[i])
		}
	}
}

func TestEarlyListeners(t *testing.T) {
	r, d := hub.NewRouter(hub.Options{}), newDiary()
	listen(t, r, d, "early", "light", "lux")
	dormant := listen(t, r, d, "dormant", "light", "uv")
	if got := r.Senders(); len(got) != 1 || got[0].Connected || strings.Join(got[0].Events, " ") != "lux uv #disconnect #connect" {
		t.Errorf("awaited sender is listed as %+v", got)
	}
	s := addSender(t, r, "light", "lux")
	trigger(t, s, "lux", 1)
	d.expect(t, "early light lux 1")
	if _, err := r.AddListener("light", "uv", func(hub.Event) {}); !errors.Is(err, hub.ErrNoEvent) {
		t.Errorf("listening to an event that a connected sender does not offer: %v", err)
	}
	s.Remove()
	if got := r.Senders(); len(got) != 1 || got[0].Connected {
		t.Errorf("a sender that has gone is listed as %+v", got)
	}
	s = addSender(t, r, "light", "uv")
	trigger(t, s, "uv", 2)
	d.expect(t, "dormant light uv 2")
	dormant.Remove()
	trigger(t, s, "uv", 3)
	d.expect(t)
	s.Remove()
	if got := r.Senders(); len(got) != 1 {
		t.Errorf("while somebody waits for its lux, light is listed as %+v", got)
	}
}

func TestNothingIsKept(t *testing.T) {
	r, d := hub.NewRouter(hub.Options{}), newDiary()
	var ls []*hub.Listener
	for _, sub := range [][2]string{{"", ""}, {"", "#x"}, {"a", ""}, {"a", "e"}, {"b", "#x"}} {
		ls = append(ls, listen(t, r, d, "l", sub[0], sub[1]))
	}
	a, b := addSender(t, r, "a", "e", "#x"), addSender(t, r, "b", "#x")
	for _, l := range ls {
		l.Remove()
		l.Remove()
	}
	a.Remove()
	b.Remove()
	if got := r.Senders(); len(got) != 0 {
		t.Errorf("senders are kept: %+v", got)
	}
	if got := strings.Join(r.Channels(), " "); got != "#disconnect #connect" {
		t.Errorf("channels are kept: %s", got)
	}
}

func TestRefusals(t *testing.T) {
	r := hub.NewRouter(hub.Options{})
	s := addSender(t, r, "light", "lux")
	nothing := func(hub.Event) {}
	_, errTwice := r.AddSender("light", hub.SenderOptions{})
	_, errEmpty := r.AddSender("", hub.SenderOptions{})
	_, errLong := r.AddSender(strings.Repeat("x", 256), hub.SenderOptions{})
	_, errEvent := r.AddSender("x", hub.SenderOptions{Events: []string{"a\nb"}})
	_, errMany := r.AddSender("x", hub.SenderOptions{Events: make([]string, 5000)})
	_, errChannel := r.AddListener("", "lux", nothing)
	_, errSignal := s.Signal("nope")
	_, errBuiltIn := s.Signal(hub.Connect)
	sig, err := s.Signal("lux")
	if err != nil {
		t.Fatal(err)
	}
	s.Remove()
	for _, c := range []struct {
		name      string
		got, want error
	}{
		{"the same name twice", errTwice, hub.ErrExists},
		{"an empty name", errEmpty, hub.ErrName},
		{"a name too long", errLong, hub.ErrName},
		{"a control character", errEvent, hub.ErrName},
		{"too many events", errMany, carrier.ErrLimit},
		{"an event of any sender that is not a channel", errChannel, hub.ErrName},
		{"an event not offered", errSignal, hub.ErrNoEvent},
		{"a built-in event", errBuiltIn, hub.ErrNoEvent},
		{"a sender that was removed", sig.Trigger(t.Context(), 1), hub.ErrNotConnected},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
	if got := r.Senders(); len(got) != 0 {
		t.Errorf("refused senders are kept: %+v", got)
	}
}

func TestRequests(t *testing.T) {
	r := hub.NewRouter(hub.Options{})
	_, err := r.AddSender("light", hub.SenderOptions{
		Requests: map[string]hub.RequestHandler{
			"read":  func(_ context.Context, _ string, p carrier.Value) (any, error) { return []any{"read", p}, nil },
			"boom":  func(context.Context, string, carrier.Value) (any, error) { return nil, errors.New("boom") },
			"panic": func(context.Context, string, carrier.Value) (any, error) { panic("ouch") },
		},
		Default: func(_ context.Context, method string, p carrier.Value) (any, error) {
			return []any{"default", method, p}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	addSender(t, r, "mute")
	gone := addSender(t, r, "gone", "e")
	listen(t, r, newDiary(), "", "gone", "e")
	gone.Remove()
	for _, c := range []struct {
		sender, method string
		want           string
		err            error
		text           string
	}{
		{sender: "light", method: "read", want: `["read",{"avg":3}]`},
		{sender: "light", method: "other", want: `["default","other",{"avg":3}]`},
		{sender: "light", method: "boom", text: "boom"},
		{sender: "light", method: "panic", text: "ouch"},
		{sender: "mute", method: "read", err: hub.ErrNoRequest},
		{sender: "gone", method: "read", err: hub.ErrNotConnected},
		{sender: "ghost", method: "read", err: hub.ErrNoSender},
	} {
		got, err := r.Request(t.Context(), c.sender, c.method, map[string]int{"avg": 3})
		switch {
		case c.err != nil && !errors.Is(err, c.err):
			t.Errorf("%s.%s: %v, want %v", c.sender, c.method, err, c.err)
		case c.text != "" && (err == nil || !strings.Contains(err.Error(), c.text)):
			t.Errorf("%s.%s: %v, want %q", c.sender, c.method, err, c.text)
		case c.want != "" && (err != nil || got.String() != c.want):
			t.Errorf("%s.%s: %s, %v, want %s", c.sender, c.method, got, err, c.want)
		}
	}
}

func TestAPanickingListenerHarmsNobody(t *testing.T) {
	r, d := hub.NewRouter(hub.Options{}), newDiary()
	listen(t, r, d, "before", "light", "lux")
	if _, err := r.AddListener("light", "lux", func(hub.Event) { panic("ouch") }); err != nil {
		t.Fatal(err)
	}
	listen(t, r, d, "after", "light", "lux")
	s := addSender(t, r, "light", "lux")
	trigger(t, s, "lux", 1)
	trigger(t, s, "lux", 2)
	d.expect(t, "before light lux 1", "after light lux 1", "before light lux 2", "after light lux 2")
}

// The events of each sender are numbered from its #connect, which is 1, also when it comes back.
func TestNumbers(t *testing.T) {
	r, d := hub.NewRouter(hub.Options{}), newDiary()
	for _, name := range []string{"a", "b"} {
		if _, err := r.AddListener(name, "", func(ev hub.Event) { d.note("%s %s %d", ev.Sender, ev.Name, ev.Seq) }); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		a, b := addSender(t, r, "a", "e"), addSender(t, r, "b", "e")
		trigger(t, a, "e", nil)
		trigger(t, a, "e", nil)
		trigger(t, b, "e", nil)
		a.Remove()
		b.Remove()
		d.expect(t, "a #connect 1", "b #connect 1", "a e 2", "a e 3", "b e 2", "a #disconnect 4", "b #disconnect 3")
	}
}

// A callback that removes a listener keeps it from hearing even the event that is being delivered.
func TestRemovedByACallback(t *testing.T) {
	r, d := hub.NewRouter(hub.Options{}), newDiary()
	var other *hub.Listener
	if _, err := r.AddListener("s", "e", func(hub.Event) {
		d.note("the first")
		other.Remove()
	}); err != nil {
		t.Fatal(err)
	}
	other = listen(t, r, d, "the other", "s", "e")
	listen(t, r, d, "the last", "s", "e")
	s := addSender(t, r, "s", "e")
	trigger(t, s, "e", 1)
	trigger(t, s, "e", 2)
	d.expect(t, "the first", "the last s e 1", "the first", "the last s e 2")
}

// A callback may use the router, and trigger events of the very sender that it hears: they come next.
func TestCallbacksUseTheRouter(t *testing.T) {
	r, d := hub.NewRouter(hub.Options{}), newDiary()
	s := addSender(t, r, "light", "lux", "#dark")
	if _, err := r.AddListener("light", "lux", func(ev hub.Event) {
		d.note("first lux %s", ev.Data)
		if ev.Data.String() == "1" {
			trigger(t, s, "#dark", true)
			listen(t, r, d, "late", "light", "lux")
			addSender(t, r, "other")
		}
	}); err != nil {
		t.Fatal(err)
	}
	listen(t, r, d, "second", "light", "")
	trigger(t, s, "lux", 1)
	trigger(t, s, "lux", 2)
	d.expect(t, "second light lux 1", "first lux 1", "second light #dark true",
		"second light lux 2", "first lux 2", "late light lux 2")
}

// A callback that triggers without end is stopped by an error, not by a full memory or a deadlock.
func TestAFloodFromACallbackEnds(t *testing.T) { synctest.Test(t, testFlood) }

func testFlood(t *testing.T) {
	r := hub.NewRouter(hub.Options{})
	s := addSender(t, r, "light", "lux")
	sig, err := s.Signal("lux")
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	var once sync.Once
	if _, err := r.AddListener("light", "lux", func(hub.Event) {
		once.Do(func() {
			for range 5000 {
				if failed = sig.Trigger(context.Background(), 1); failed != nil {
					return
				}
			}
		})
	}); err != nil {
		t.Fatal(err)
	}
	if err := sig.Trigger(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(failed, hub.ErrBusy) {
		t.Errorf("5,000 events from within a callback: %v, want %v", failed, hub.ErrBusy)
	}
}

// Whoever triggers more than may wait goes on as soon as there is room; nothing is lost.
func TestRoomForAnEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const more = 1024 + 3
		r := hub.NewRouter(hub.Options{})
		s, entered, opened := addSender(t, r, "s", "e"), make(chan struct{}), make(chan struct{})
		heard := 0
		if _, err := r.AddListener("s", "e", func(hub.Event) {
			if heard++; heard == 1 {
				close(entered)
				<-opened
			}
		}); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		all.Go(func() { trigger(t, s, "e", 0) })
		<-entered
		start := time.Now()
		all.Go(func() {
			for i := range more {
				trigger(t, s, "e", i)
			}
		})
		time.Sleep(time.Millisecond)
		close(opened)
		all.Wait()
		if took := time.Since(start); took != time.Millisecond || heard != 1+more {
			t.Errorf("it took %s, and %d events were heard, want 1ms and %d", took, heard, 1+more)
		}
	})
}

// Every listener sees the events of one sender in the order of their numbers, however many goroutines trigger.
func TestOrderUnderConcurrency(t *testing.T) {
	r := hub.NewRouter(hub.Options{})
	const goroutines, each = 8, 500
	var last [3]uint64
	var heard [3]int
	for i := range last {
		if _, err := r.AddListener("light", "lux", func(ev hub.Event) {
			if ev.Seq <= last[i] {
				t.Errorf("number %d after %d", ev.Seq, last[i])
			}
			last[i] = ev.Seq
			heard[i]++
		}); err != nil {
			t.Fatal(err)
		}
	}
	s := addSender(t, r, "light", "lux")
	sig, err := s.Signal("lux")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for i := range each {
				if err := sig.Trigger(context.Background(), i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s.Remove() // delivered after all that was triggered
	for i, n := range heard {
		if n != goroutines*each {
			t.Errorf("listener %d heard %d events, want %d", i, n, goroutines*each)
		}
	}
}

// Whoever connects and disconnects senders of one name at the same time, each #disconnect comes before the next #connect.
func TestConnectionsInOrder(t *testing.T) {
	const users, each = 4, 500
	r := hub.NewRouter(hub.Options{})
	heard, wrong := 0, 0
	if _, err := r.AddListener("s", "", func(ev hub.Event) {
		if want := []string{hub.Connect, hub.Disconnect}[heard%2]; ev.Name != want {
			wrong++
		}
		heard++
	}); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range users {
		all.Go(func() {
			for n := 0; n < each; {
				if s, err := r.AddSender("s", hub.SenderOptions{}); err == nil {
					s.Remove()
					n++
				}
			}
		})
	}
	all.Wait()
	if wrong > 0 || heard != 2*users*each {
		t.Errorf("%d of %d are out of order, want %d in order", wrong, heard, 2*users*each)
	}
}
