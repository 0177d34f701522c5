package mqtt

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/local"
	"sighub/homeassistant"
	"sighub/hub"
)

// uids gives the clients of a carrier a uid, as devices on serial lines have one.
type uids struct {
	*local.Hub
	uid string
}

type uidHandler struct {
	carrier.Handler
	uid string
}

func (u uids) Serve(ctx context.Context, h carrier.Handler) error {
	return u.Hub.Serve(ctx, uidHandler{h, u.uid})
}

func (h uidHandler) ClientConnected(c carrier.Client) {
	c.UID, c.Signals = h.uid, nil
	h.Handler.ClientConnected(c)
}

// homeAssistant are options of a bridge for Home Assistant.
func homeAssistant(dir string) Options {
	return Options{
		Newest: true, Commands: true, Every: 10 * time.Millisecond,
		HomeAssistant: &homeassistant.AnnouncerOptions{
			Plan:   homeassistant.Plan{Hub: homeassistant.Hub{ID: "h1", Name: "Barn"}, Prefix: "homeassistant"},
			File:   filepath.Join(dir, "announced.json"),
			Jitter: 10 * time.Millisecond,
		},
	}
}

// device runs a client with senders until the test ends or it is unplugged.
func device(t *testing.T, at *local.Hub, name string, senders map[string]hub.SenderOptions) (unplug func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := hub.NewClientRouter(hub.ClientOptions{})
	served := make(chan error, 1)
	go func() { served <- r.Serve(ctx, at.NewPeer(name)) }()
	for sender, o := range senders {
		if _, err := r.AddRemoteSender(ctx, sender, o); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}
}

// TestHomeAssistant: devices are announced with their states, come back after a restart, and leave nothing at the broker when they were
// renamed, were removed, or Home Assistant is configured no more.
func TestHomeAssistant(t *testing.T) {
	broker, dir, state := startBroker(t), t.TempDir(), t.TempDir()
	l := listen(t, broker.addr, "homeassistant/#", "sighub/#")
	o := homeAssistant(state)
	o.Addr = broker.addr
	h := newHouse(t, dir)
	b := h.bridge(o)
	plugs := local.NewHub(local.Options{})
	h.serve(b)
	s := h.sender("attic/air", hub.SenderOptions{
		Events: []string{"temp", "on"}, Units: map[string]string{"temp": "Cel"},
		Requests: map[string]hub.RequestHandler{"set_on": answering(make(chan string, 1))},
	})
	h.report(s, "temp", 20.5)
	h.report(s, "on", true)
	l.wait("sighub/attic/air/temp 20.5", 1)
	config := func(device, what string) { // in its latest announcement
		t.Helper()
		eventually(t, "announced is "+what, func() bool {
			list := l.heard("homeassistant/device/" + device + "/config ")
			return len(list) > 0 && strings.Contains(list[len(list)-1], what)
		})
	}
	config("sighub_h1", `"switch--attic-2fair--on"`)
	l.wait("sighub/attic/air/on true", 1)
	l.wait(`sighub/attic/air/_state {"connected":true`, 1)
	want := []string{"homeassistant/device/sighub_h1/config", "sighub/_bridge/sighub/up/_state", "sighub/attic/air/_state", "sighub/attic/air/on", "sighub/attic/air/temp"}
	if list := kept(t, broker.addr, "#"); !slices.Equal(list, want) {
		t.Errorf("kept is %q", list)
	}

	// Home Assistant starts.
	n := len(l.heard("homeassistant/device/"))
	l.say("homeassistant/status", "online")
	l.wait("homeassistant/device/", n+1)

	// A late reading is not a state.
	g, err := s.Signal("temp")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.TriggerAt(t.Context(), 1.5, time.Now().Add(-time.Hour), 0); err != nil {
		t.Fatal(err)
	}
	h.report(s, "temp", 21.5)
	l.wait("sighub/attic/air/temp 21.5", 1)
	if list := l.heard("sighub/attic/air/temp 1.5"); len(list) > 0 {
		t.Errorf("%q", list)
	}
	if err := g.TriggerAt(t.Context(), 2.5, time.Now().Add(-time.Hour), 0); err != nil {
		t.Fatal(err)
	}
	if err := h.journal.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}

	// The hub starts again. Its latest value is the late one, but the broker knows better.
	h.stop()
	states := l.wait(`sighub/_bridge/sighub/up/_state {"connected":false}`, 1)
	if len(states) == 0 {
		t.Error("the hub has not said goodbye")
	}
	h = newHouse(t, dir)
	h.more = append(h.more, uids{plugs, "0a0b"})
	h.serve(h.bridge(o))
	l.wait(`sighub/attic/air/_state {"connected":false`, 1)
	if list := l.heard("sighub/attic/air/temp 2.5"); len(list) > 0 {
		t.Errorf("%q", list)
	}

	// A device comes, and comes back with other names.
	unplug := device(t, plugs, "greenhouse", map[string]hub.SenderOptions{"soil": {Events: []string{"wet"}, Units: map[string]string{"wet": "%"}}})
	l.wait(`homeassistant/device/sighub_0a0b/config {"device":{"identifiers":["sighub_0a0b"],"name":"greenhouse","via_device":"sighub_h1"}`, 1)
	l.wait("sighub/soil/_state ", 1)
	unplug()
	unplug = device(t, plugs, "garden", map[string]hub.SenderOptions{"bed": {Events: []string{"wet"}, Units: map[string]string{"wet": "%"}}})
	l.wait(`homeassistant/device/sighub_0a0b/config {"device":{"identifiers":["sighub_0a0b"],"name":"garden"`, 1)
	eventually(t, "the old name leaves nothing", func() bool { return !slices.Contains(kept(t, broker.addr, "#"), "sighub/soil/_state") })
	config("sighub_0a0b", `"sensor--soil--wet":{"platform":"sensor"}`)
	unplug()

	// It is configured no more.
	h.stop()
	h = newHouse(t, dir)
	off := Options{Addr: broker.addr, Topic: "x/{sender}/{event}", HomeAssistant: &homeassistant.AnnouncerOptions{File: o.HomeAssistant.File}}
	h.serve(h.bridge(off))
	eventually(t, "everything is cleared", func() bool {
		return !slices.ContainsFunc(kept(t, broker.addr, "#"), func(topic string) bool {
			return !strings.HasPrefix(topic, "x/") && !strings.HasPrefix(topic, "sighub/_bridge/")
		})
	})
}
