package hub_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/carrier/local"
	"sighub/hub"
)

func TestMethods(t *testing.T) {
	w := serve(t, hub.ServerOptions{MaxSenders: 2, MaxListeners: 2})
	if _, err := w.AddSender("timer", hub.SenderOptions{Events: []string{"tic"}}); err != nil {
		t.Fatal(err)
	}
	c := w.raw(t, "client")
	other := w.raw(t, "other")
	if r := other.call("add_sender", `{"sender":"other","events":["e"]}`); r.Status != 0 {
		t.Fatal(r)
	}
	long := strings.Repeat("x", 300)
	for _, step := range []struct {
		method, params string
		status         carrier.Status
		want           string // of the response as JSON, or part of the exception
	}{
		{"get_version", ``, 0, `"1.01"`},
		{"get_version", `{}`, 0, `"1.01"`},
		{"", `{}`, -3, ``},
		{"no_such_method", `{}`, -1, ``},

		{"add_sender", ``, -2, "sender is missing"},
		{"add_sender", `[1]`, -2, "params must be a map"},
		{"add_sender", `"x"`, -2, "params must be a map"},
		{"add_sender", `{"sender":"x"}`, -2, "events is missing"},
		{"add_sender", `{"sender":null,"events":[]}`, -2, "sender is missing"},
		{"add_sender", `{"sender":1,"events":[]}`, -2, "sender must be a text"},
		{"add_sender", `{"sender":"","events":[]}`, -2, "sender must not be empty"},
		{"add_sender", `{"sender":"` + long + `","events":[]}`, -2, "255"},
		{"add_sender", `{"sender":"x","events":null}`, -2, "events must be a list"},
		{"add_sender", `{"sender":"x","events":{}}`, -2, "events must be a list"},
		{"add_sender", `{"sender":"x","events":[1]}`, -2, "events must be a list"},
		{"add_sender", `{"sender":"x","events":[null]}`, -2, "an event must not be null"},
		{"add_sender", `{"sender":"x","events":[""]}`, -2, "empty"},
		{"add_sender", `{"sender":"x","events":[],"requests":7}`, -2, "requests must be a list"},
		{"add_sender", `{"sender":"timer","events":[]}`, -2, "already connected"},
		{"add_sender", `{"sender":"other","events":[]}`, -2, "already connected"},
		{"add_sender", `{"sender":"a","events":["e"]}`, 0, `null`},
		{"add_sender", `{"sender":"a","events":["e"]}`, -2, "already connected"},
		{"add_sender", `{"sender":"b","events":[],"requests":["r",null]}`, 0, `null`},
		{"add_sender", `{"sender":"c","events":[]}`, carrier.StatusLimit, "2 senders"},

		{"signal", `{"data":1}`, -2, "info is missing"},
		{"signal", `{"info":1,"data":1}`, -2, "must be a map"},
		{"signal", `{"info":{"sender":"a"},"data":1}`, -2, "event is missing"},
		{"signal", `{"info":{"sender":"a","event":1}}`, -2, "event must be a text"},
		{"signal", `{"info":{"sender":"a","event":"e","time":"yesterday"}}`, -2, "RFC 3339"},
		{"signal", `{"info":{"sender":"a","event":"e","time":[]}}`, -2, "time"},
		{"signal", `{"info":{"sender":"a","event":"e","uncertainty":-1}}`, -2, "uncertainty"},
		{"signal", `{"info":{"sender":"a","event":"nope"}}`, -2, "cannot trigger nope"},
		{"signal", `{"info":{"sender":"a","event":"#connect"}}`, -2, "cannot trigger #connect"},
		{"signal", `{"info":{"sender":"ghost","event":"e"}}`, -2, "never added"},
		{"signal", `{"info":{"sender":"timer","event":"tic"}}`, -2, "another client"},
		{"signal", `{"info":{"sender":"other","event":"e"}}`, -2, "another client"},
		{"signal", `{"info":{"sender":"a","event":"e"}}`, 0, `null`},
		{"signal", `{"info":{"sender":"a","event":"e","time":"2026-05-01T12:00:00Z","uncertainty":5},"data":[1]}`, 0, `null`},

		{"add_listener", `{"event":"e"}`, -2, "must start with #"},
		{"add_listener", `{"sender":1}`, -2, "sender must be a text"},
		{"add_listener", `{"sender":"timer","event":"nope"}`, -2, "no event nope, only tic"},
		{"add_listener", `{"sender":"later","event":"e"}`, 0, `listener_id`},
		{"add_listener", ``, 0, `listener_id`},
		{"add_listener", `{}`, carrier.StatusLimit, "2 listeners"},
		{"remove_listener", `{}`, -2, "listener_id is missing"},
		{"remove_listener", `{"listener_id":"x"}`, -2, "non-negative integer"},
		{"remove_listener", `{"listener_id":99}`, -2, "no such listener"},

		{"request", `{"sender":"timer"}`, -2, "method is missing"},
		{"request", `{"sender":"timer","method":"m"}`, -2, "answers no requests"},
		{"request", `{"sender":"ghost","method":"m"}`, -2, "no such sender"},

		{"list_senders", `{"list_events":3}`, -2, "must be true or false"},
		{"remove_sender", `{}`, -2, "sender is missing"},
		{"remove_sender", `{"sender":"ghost"}`, -2, "never added"},
		{"remove_sender", `{"sender":"other"}`, -2, "another client"},
		{"remove_sender", `{"sender":"a"}`, 0, `null`},
		{"remove_sender", `{"sender":"a"}`, -2, "never added"},
	} {
		r := c.call(step.method, step.params)
		got := r.Exception
		if r.Status == 0 {
			got = r.Response.String()
		}
		if r.Status != step.status || !strings.Contains(got, step.want) {
			t.Errorf("%s %s: status %d, %s; want %d, %s", step.method, step.params, r.Status, got, step.status, step.want)
		}
	}
}

func TestClientsAcrossTheHub(t *testing.T) {
	w := serve(t, hub.ServerOptions{})
	d := newDiary()
	listener, _, _ := w.client(t, "listener", hub.ClientOptions{})
	sensor, _, stop := w.client(t, "sensor", hub.ClientOptions{})
	ctx := t.Context()
	for _, sub := range [][2]string{{"light", "lux"}, {"light", ""}, {"", ""}, {"", "#alarm"}} {
		if _, err := listener.AddRemoteListener(ctx, sub[0], sub[1], d.listener(sub[0]+"/"+sub[1])); err != nil {
			t.Fatal(err)
		}
	}
	s, err := sensor.AddRemoteSender(ctx, "light", hub.SenderOptions{
		Events: []string{"lux", "#alarm"},
		Requests: map[string]hub.RequestHandler{
			"read": func(_ context.Context, _ string, p carrier.Value) (any, error) { return []any{512, p}, nil },
			"boom": func(context.Context, string, carrier.Value) (any, error) { return nil, errors.New("boom") },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	d.expect(t, "/ light #connect", "light/ light #connect")
	trigger(t, s, "lux", 512)
	d.expect(t, "/ light lux 512", "light/ light lux 512", "light/lux light lux 512")
	trigger(t, s, "#alarm", "dark")
	d.expect(t, `/ light #alarm "dark"`, `light/ light #alarm "dark"`, `/#alarm light #alarm "dark"`)

	if v, err := listener.RemoteRequest(ctx, "light", "read", "p"); err != nil || v.String() != `[512,"p"]` {
		t.Errorf("read: %s, %v", v, err)
	}
	if v, err := w.Request(ctx, "light", "read", 1); err != nil || v.String() != `[512,1]` {
		t.Errorf("read from within the hub: %s, %v", v, err)
	}
	var failed *carrier.StatusError
	if _, err := listener.RemoteRequest(ctx, "light", "boom", nil); !errors.As(err, &failed) || failed.Status != carrier.StatusFailed || err.Error() != "boom" {
		t.Errorf("boom: %v", err)
	}
	if _, err := listener.RemoteRequest(ctx, "light", "other", nil); err == nil || !strings.Contains(err.Error(), "does not answer other") {
		t.Errorf("other: %v", err)
	}
	senders, err := listener.RemoteSenders(ctx)
	if err != nil || len(senders) != 1 || senders[0].Client == nil || senders[0].Client.Name != "sensor" || len(senders[0].Requests) != 2 {
		t.Errorf("senders: %+v, %v", senders, err)
	}
	stop()
	d.expect(t, "/ light #disconnect closed", "light/ light #disconnect closed")
	if _, err := listener.RemoteRequest(ctx, "light", "read", nil); err == nil || !strings.Contains(err.Error(), "not connected") {
		t.Errorf("a request to a sender that has gone: %v", err)
	}
}

// A client hears what it triggers itself, and a callback may ask the hub: neither waits for itself.
func TestAClientMayHearItself(t *testing.T) {
	w := serve(t, hub.ServerOptions{})
	d := newDiary()
	c, _, _ := w.client(t, "", hub.ClientOptions{})
	s, err := c.AddRemoteSender(t.Context(), "echo", hub.SenderOptions{Events: []string{"e"},
		Default: func(_ context.Context, _ string, p carrier.Value) (any, error) { return p, nil }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.AddRemoteListener(t.Context(), "echo", "e", func(ev hub.Event) {
		v, err := c.RemoteRequest(context.Background(), "echo", "any", ev.Data)
		d.note("%s %v", v, err)
	}); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		trigger(t, s, "e", i)
	}
	want := make([]string, 100)
	for i := range want {
		want[i] = fmt.Sprintf("%d <nil>", i)
	}
	d.expect(t, want...)
}

func TestReconnection(t *testing.T) {
	w := serve(t, hub.ServerOptions{})
	d, heard := newDiary(), newDiary()
	c, peer, _ := w.client(t, "c", hub.ClientOptions{
		Connected:    func() { d.note("connected") },
		Disconnected: func(cause error) { d.note("lost") },
	})
	d.expect(t, "connected")
	s, err := c.AddRemoteSender(t.Context(), "light", hub.SenderOptions{Events: []string{"lux"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.AddRemoteListener(t.Context(), "light", "lux", heard.listener("c")); err != nil {
		t.Fatal(err)
	}
	gone, err := c.AddRemoteListener(t.Context(), "light", "lux", heard.listener("removed"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.RemoveRemoteListener(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		peer.Cut()
		d.expect(t, "lost", "connected")
		trigger(t, s, "lux", 1)
		heard.expect(t, "c light lux 1")
	}
	if err := c.RemoveRemoteSender(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if got := w.Senders(); len(got) != 1 || got[0].Connected {
		t.Errorf("the hub lists %+v", got)
	}
}

func TestShutdownIsTold(t *testing.T) {
	w := serve(t, hub.ServerOptions{Grace: patience})
	d := newDiary()
	connected := make(chan struct{})
	c, _, _ := w.client(t, "c", hub.ClientOptions{
		Connected: func() { close(connected) }, Disconnected: func(error) { d.note("lost") },
	})
	<-connected // a connection that is lost before is not told of
	if _, err := w.AddSender("timer", hub.SenderOptions{Events: []string{"tic"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.AddRemoteListener(t.Context(), "timer", "", d.listener("c")); err != nil {
		t.Fatal(err)
	}
	w.stop()
	d.expect(t, "c timer #disconnect shutdown", "lost")
	if _, err := w.AddSender("late", hub.SenderOptions{}); err == nil {
		t.Error("a hub that was shut down takes a sender")
	}
}

// A deviceCarrier is one of devices.
type deviceCarrier struct{ carrier.Carrier }

func (deviceCarrier) Reports() bool { return true }

// Devices end first: what they report until then is heard, and so is that they have gone.
func TestDevicesEndFirst(t *testing.T) {
	s := hub.NewServerRouter(hub.ServerOptions{Grace: patience})
	devices, others := local.NewHub(local.Options{}), local.NewHub(local.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := s.Serve(ctx, others, deviceCarrier{devices}); err != nil {
			t.Error(err)
		}
	})
	d := newDiary()
	device, _, _ := (&world{s, devices, nil}).client(t, "device", hub.ClientOptions{})
	listener, _, _ := (&world{s, others, nil}).client(t, "listener", hub.ClientOptions{})
	if _, err := listener.AddRemoteListener(t.Context(), "light", "", d.listener("c")); err != nil {
		t.Fatal(err)
	}
	light, err := device.AddRemoteSender(t.Context(), "light", hub.SenderOptions{Events: []string{"lux"}})
	if err != nil {
		t.Fatal(err)
	}
	trigger(t, light, "lux", 1)
	cancel()
	serving.Wait()
	d.expect(t, "c light #connect", "c light lux 1", "c light #disconnect shutdown")
}

// An event that a callback in the hub holds up when the hub shuts down reaches the listeners elsewhere all the same, and so
// does the end of its sender: one of a device that has gone, and one of the hub's own that is in the middle of an event.
func TestShutdownWaitsForCallbacks(t *testing.T) {
	for _, event := range []string{"lux", hub.Disconnect} {
		synctest.Test(t, func(t *testing.T) {
			s, d := hub.NewServerRouter(hub.ServerOptions{Grace: time.Minute}), newDiary()
			devices, others := local.NewHub(local.Options{}), local.NewHub(local.Options{})
			ctx, cancel := context.WithCancel(context.Background())
			var serving sync.WaitGroup
			serving.Go(func() { _ = s.Serve(ctx, others, deviceCarrier{devices}) })
			device, _, _ := (&world{s, devices, nil}).client(t, "device", hub.ClientOptions{})
			listener, _, _ := (&world{s, others, nil}).client(t, "listener", hub.ClientOptions{})
			if _, err := s.AddListener("light", event, func(hub.Event) { time.Sleep(time.Second) }); err != nil {
				t.Fatal(err)
			}
			addRemoteListener(t, listener, "light", event, d.listener("c"))
			addRemoteListener(t, listener, "light", hub.Disconnect, d.listener("end"))
			light := addRemoteSender(t, device, "light", "lux")
			lux, err := light.Signal("lux")
			if err == nil {
				err = lux.TriggerAsync(t.Context(), 1, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			cancel()
			serving.Wait()
			if event == "lux" {
				d.expect(t, "c light lux 1", "end light #disconnect shutdown")
			} else {
				d.expect(t, "c light #disconnect shutdown", "end light #disconnect shutdown")
			}
		})
	}
}

// A request ends when the client that should answer takes too long, or goes.
func TestRequestsEnd(t *testing.T) {
	for _, c := range []struct {
		name    string
		timeout time.Duration
		cut     bool
		want    error
	}{
		{"timeout", 10 * time.Millisecond, false, context.DeadlineExceeded},
		{"gone", time.Hour, true, carrier.ErrGone},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := serve(t, hub.ServerOptions{RequestTimeout: c.timeout})
			asked, ended, hold := make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
			defer close(hold)
			r, peer, _ := w.client(t, "c", hub.ClientOptions{})
			if _, err := r.AddRemoteSender(t.Context(), "slow", hub.SenderOptions{
				Default: func(context.Context, string, carrier.Value) (any, error) {
					asked <- struct{}{}
					<-hold
					return nil, nil
				}}); err != nil {
				t.Fatal(err)
			}
			var cut sync.WaitGroup
			cut.Go(func() {
				select {
				case <-asked:
				case <-ended: // before it was asked
				}
				if c.cut {
					peer.Cut()
				}
			})
			if _, err := w.Request(t.Context(), "slow", "m", nil); !errors.Is(err, c.want) {
				t.Errorf("the request ended with %v, want %v", err, c.want)
			}
			close(ended)
			cut.Wait()
		})
	}
}

// A naming carrier has devices whose senders are named after them.
type namingCarrier struct{ carrier.Carrier }

type namingHandler struct{ carrier.Handler }

func (c namingCarrier) Serve(ctx context.Context, h carrier.Handler) error {
	return c.Carrier.Serve(ctx, namingHandler{h})
}

func (h namingHandler) ClientConnected(c carrier.Client) {
	c.Naming, c.UID = "{device}.{sender}", "01"
	h.Handler.ClientConnected(c)
}

func TestNaming(t *testing.T) {
	w := hub.NewServerRouter(hub.ServerOptions{})
	l := local.NewHub(local.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := w.Serve(ctx, namingCarrier{l}); err != nil {
			t.Error(err)
		}
	})
	defer serving.Wait()
	defer cancel()
	d := newDiary()
	listen(t, w.Router, d, "hub", "", "")
	a, _, stopA := (&world{w, l, nil}).client(t, "uno", hub.ClientOptions{})
	b, _, stopB := (&world{w, l, nil}).client(t, "due", hub.ClientOptions{})
	answer := func(name string) hub.SenderOptions {
		return hub.SenderOptions{Events: []string{"lux"},
			Default: func(context.Context, string, carrier.Value) (any, error) { return name, nil }}
	}
	sa, err := a.AddRemoteSender(t.Context(), "light", answer("uno"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.AddRemoteSender(t.Context(), "light", answer("due")); err != nil {
		t.Fatal(err)
	}
	trigger(t, sa, "lux", 1)
	if v, err := w.Request(t.Context(), "due.light", "who", nil); err != nil || v.String() != `"due"` {
		t.Errorf("due answers %s, %v", v, err)
	}
	stopB()
	d.expect(t, "hub uno.light #connect", "hub due.light #connect", "hub uno.light lux 1", "hub due.light #disconnect closed")
	twin, _, stopTwin := (&world{w, l, nil}).client(t, "uno", hub.ClientOptions{})
	if _, err := twin.AddRemoteSender(t.Context(), "light", answer("twin")); err == nil || !strings.Contains(err.Error(), "naming:") {
		t.Errorf("two devices with the same name: %v", err)
	}
	stopTwin()
	stopA()
	d.expect(t, "hub uno.light #disconnect closed")
}
