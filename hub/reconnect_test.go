package hub_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/hub"
)

// A gate is a callback that holds up whoever triggers the event, until it is opened.
type gate struct{ entered, opened chan struct{} }

func newGate() *gate { return &gate{make(chan struct{}, 16), make(chan struct{})} }

func (g *gate) pass(hub.Event) {
	g.entered <- struct{}{}
	<-g.opened
}

// names lists the senders that the hub knows, connected or awaited.
func (w *world) names() (list []string) {
	for _, s := range w.Senders() {
		list = append(list, s.Name)
	}
	return list
}

// newsClient is a client that notes when the hub is lost and reached again.
func (w *world) newsClient(t *testing.T) (c *hub.ClientRouter, news *diary, cut func()) {
	t.Helper()
	news = newDiary()
	c, peer, _ := w.client(t, "c", hub.ClientOptions{
		Connected:    func() { news.note("connected") },
		Disconnected: func(error) { news.note("lost") },
	})
	news.expect(t, "connected")
	return c, news, peer.Cut
}

func addRemoteSender(t *testing.T, c *hub.ClientRouter, name string, events ...string) *hub.Sender {
	t.Helper()
	s, err := c.AddRemoteSender(t.Context(), name, hub.SenderOptions{Events: events})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func addRemoteListener(t *testing.T, c *hub.ClientRouter, sender, event string, fn func(hub.Event)) *hub.Listener {
	t.Helper()
	l, err := c.AddRemoteListener(t.Context(), sender, event, fn)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Whoever gives up waiting for the registration of a sender leaves none behind: the name is free again.
func TestSenderGivenUpIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d, g := serve(t, hub.ServerOptions{}), newDiary(), newGate()
		listen(t, w.Router, d, "hub", "a", "")
		if _, err := w.AddListener("a", hub.Connect, g.pass); err != nil {
			t.Fatal(err)
		}
		c, _, _ := w.client(t, "c", hub.ClientOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			<-g.entered
			cancel()
		}()
		if _, err := c.AddRemoteSender(ctx, "a", hub.SenderOptions{}); !errors.Is(err, context.Canceled) {
			t.Fatalf("AddRemoteSender: %v", err)
		}
		close(g.opened)
		d.expect(t, "hub a #connect", "hub a #disconnect removed")
		addRemoteSender(t, c, "a")
	})
}

// The same is true of a listener: the hub forgets it, and sends it nothing.
func TestListenerGivenUpIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, g := serve(t, hub.ServerOptions{}), newGate()
		if _, err := w.AddListener("", hub.Connect, g.pass); err != nil {
			t.Fatal(err)
		}
		c, _, _ := w.client(t, "c", hub.ClientOptions{})
		go func() {
			if _, err := c.AddRemoteSender(context.Background(), "a", hub.SenderOptions{}); err != nil {
				t.Error(err)
			}
		}()
		<-g.entered // nothing else of this client is handled now
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.AddRemoteListener(ctx, "ghost", "", func(hub.Event) {}); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("AddRemoteListener: %v", err)
		}
		close(g.opened)
		synctest.Wait()
		if got := w.names(); !slices.Equal(got, []string{"a"}) {
			t.Errorf("the hub knows the senders %q", got)
		}
	})
}

// What is removed while it is being registered again stays removed.
func TestRemovalWhileRestoring(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d, g := serve(t, hub.ServerOptions{}), newDiary(), newGate()
		listen(t, w.Router, d, "hub", "a", "")
		c, news, cut := w.newsClient(t)
		s := addRemoteSender(t, c, "a")
		l := addRemoteListener(t, c, "b", "", func(hub.Event) {})
		if _, err := w.AddListener("a", hub.Connect, g.pass); err != nil {
			t.Fatal(err)
		}
		cut()
		<-g.entered // the sender is being registered, and the listener will be
		s.Remove()
		l.Remove()
		close(g.opened)
		d.expect(t, "hub a #connect", "hub a #disconnect unplugged", "hub a #connect", "hub a #disconnect removed")
		news.expect(t, "lost", "connected")
		synctest.Wait()
		if got := w.Senders(); len(got) != 1 || got[0].Connected {
			t.Errorf("the hub lists %+v", got)
		}
	})
}

// Without a connection there is nothing to take back: removing neither fails nor waits.
func TestRemovalWhileDisconnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := serve(t, hub.ServerOptions{})
		c, news, _ := w.newsClient(t)
		s, dropped := addRemoteSender(t, c, "a"), addRemoteSender(t, c, "b")
		l := addRemoteListener(t, c, "x", "", func(hub.Event) {})
		w.stop()
		news.expect(t, "lost")
		start := time.Now()
		dropped.Remove()
		if err := c.RemoveRemoteSender(t.Context(), s); err != nil {
			t.Errorf("RemoveRemoteSender: %v", err)
		}
		if err := c.RemoveRemoteListener(t.Context(), l); err != nil {
			t.Errorf("RemoveRemoteListener: %v", err)
		}
		if err := c.RemoveRemoteSender(t.Context(), s); !errors.Is(err, hub.ErrNoSender) {
			t.Errorf("RemoveRemoteSender, once more: %v", err)
		}
		if err := c.RemoveRemoteListener(t.Context(), l); !errors.Is(err, hub.ErrNoListener) {
			t.Errorf("RemoveRemoteListener, once more: %v", err)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("removing took %s", took)
		}
	})
}

// A callback for the connection that was lost is still running when the next one brings an event: that one waits.
func TestCallbacksDoNotOverlapAfterReconnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d, g := serve(t, hub.ServerOptions{}), newDiary(), newGate()
		c, news, cut := w.newsClient(t)
		addRemoteListener(t, c, "light", "lux", func(ev hub.Event) {
			d.note("begin %s", ev.Data)
			g.pass(ev)
			d.note("end %s", ev.Data)
		})
		s := addSender(t, w.Router, "light", "lux")
		trigger(t, s, "lux", 1)
		<-g.entered
		cut()
		news.expect(t, "lost", "connected")
		trigger(t, s, "lux", 2)
		synctest.Wait()
		d.expect(t, "begin 1")
		close(g.opened)
		d.expect(t, "end 1", "begin 2", "end 2")
	})
}

// Listeners are registered again in the order in which they were added.
func TestOrderAfterReconnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := serve(t, hub.ServerOptions{}), newDiary()
		c, news, cut := w.newsClient(t)
		var want []string
		for i := range 8 {
			addRemoteListener(t, c, "light", "lux", d.listener(fmt.Sprint(i)))
			want = append(want, fmt.Sprintf("%d light lux 1", i))
		}
		s := addSender(t, w.Router, "light", "lux")
		for range 4 {
			cut()
			news.expect(t, "lost", "connected")
			trigger(t, s, "lux", 1)
			d.expect(t, want...)
		}
	})
}

// Listeners of every kind are registered again, each once, with what they want; and so are senders.
func TestEveryKindIsRestored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := serve(t, hub.ServerOptions{MaxListeners: 5, MaxSenders: 2}), newDiary()
		c, news, cut := w.newsClient(t)
		for _, l := range [][3]string{{"any"}, {"channel", "", "#dark"}, {"all", "light"}, {"one", "light", "lux"}} {
			addRemoteListener(t, c, l[1], l[2], d.listener(l[0]))
		}
		one, two := addRemoteSender(t, c, "light", "lux"), addRemoteSender(t, c, "cellar", "#dark")
		for range 3 {
			cut()
			news.expect(t, "lost", "connected")
			synctest.Wait()
			d.take() // who hears which #connect depends on the order in which they are registered
			trigger(t, one, "lux", 1)
			trigger(t, two, "#dark", 2)
			d.expect(t, "any light lux 1", "all light lux 1", "one light lux 1", "any cellar #dark 2", "channel cellar #dark 2")
			synctest.Wait()
			if more := d.take(); len(more) > 0 {
				t.Errorf("heard as well: %q", more)
			}
		}
	})
}

// Listeners that were there before their sender stay dormant, across connections of theirs, for as long as the sender
// does not offer the event; a later one that does wakes them.
func TestDormantListenersAfterReconnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := serve(t, hub.ServerOptions{}), newDiary()
		c, news, cut := w.newsClient(t)
		for _, who := range []string{"one", "two"} {
			addRemoteListener(t, c, "light", "lux", d.listener(who))
		}
		s := addSender(t, w.Router, "light", "other")
		start := time.Now()
		cut()
		news.expect(t, "lost", "connected")
		if took := time.Since(start); took != 0 {
			t.Errorf("the application was told of the connection after %s", took)
		}
		if _, err := c.AddRemoteListener(t.Context(), "light", "lux", func(hub.Event) {}); err == nil || !strings.Contains(err.Error(), "no event lux") {
			t.Errorf("a listener that was not there before: %v", err)
		}
		s.Remove()
		s = addSender(t, w.Router, "light", "lux")
		trigger(t, s, "lux", 1)
		d.expect(t, "one light lux 1", "two light lux 1")
		s.Remove()
		synctest.Wait()
		if got := w.names(); !slices.Equal(got, []string{"light"}) {
			t.Errorf("the hub knows the senders %q", got)
		}
	})
}

// TestRemoveThenAdd: what a client removes and adds again at once is not refused.
func TestRemoveThenAdd(t *testing.T) {
	n := serveNetwork(t, hub.ServerOptions{MaxListeners: 1})
	r, _ := n.client(carrier.CBOR)
	for range 50 {
		s, err := r.AddRemoteSender(n.ctx, "light", hub.SenderOptions{Events: []string{"n"}})
		if err != nil {
			t.Fatal(err)
		}
		l, err := r.AddRemoteListener(n.ctx, "light", "n", func(hub.Event) {})
		if err != nil {
			t.Fatal(err)
		}
		s.Remove()
		l.Remove()
	}
}
