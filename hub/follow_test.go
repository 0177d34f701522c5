package hub_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/carrier/local"
	"sighub/hub"
	"sighub/journal"
	"sighub/journal/journaltest"
)

// A spy is a client's end that notes what is said to the hub.
type spy struct {
	*local.Peer
	mu   sync.Mutex
	said []*carrier.Message
}

func (s *spy) Transmit(ctx context.Context, id carrier.ClientID, m *carrier.Message, done func(carrier.Reply, error)) error {
	s.mu.Lock()
	s.said = append(s.said, m)
	s.mu.Unlock()
	return s.Peer.Transmit(ctx, id, m, done)
}

// heard returns the params of what was said of a method, and forgets everything that was said.
func (s *spy) heard(method string) (params []carrier.Value) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.said {
		if m.Method == method {
			params = append(params, m.Params)
		}
	}
	s.said = nil
	return params
}

// TestFollow: a ClientRouter with a listener that hears events at once asks every five seconds up to where everything is heard, and goes
// on there on its next connection. One without such a listener does not ask; one that is fed from the journal knows how far it is.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, err := journal.OpenFolder(journaltest.NewFolder(1), journal.Options{Size: 16 << 20, Segment: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		w := serve(t, hub.ServerOptions{Journal: j})
		s, err := w.AddSender("s", hub.SenderOptions{Events: []string{"n"}})
		if err != nil {
			t.Fatal(err)
		}
		g, err := s.Signal("n")
		if err != nil {
			t.Fatal(err)
		}
		trigger := func(n ...int) {
			for _, n := range n {
				if err := g.Trigger(t.Context(), n); err != nil {
					t.Fatal(err)
				}
			}
			if err := j.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		p := &spy{Peer: w.local.NewPeer("spy")}
		r := hub.NewClientRouter(hub.ClientOptions{})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- r.Serve(ctx, p) }()
		defer func() {
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}()
		if err := r.WaitConnected(t.Context()); err != nil {
			t.Fatal(err)
		}
		asked := func(during time.Duration) int {
			t.Helper()
			time.Sleep(during)
			synctest.Wait()
			return len(p.heard("get_position"))
		}
		if n := asked(time.Minute); n > 0 {
			t.Errorf("without a listener, it asks %d times in a minute", n)
		}
		fed, err := r.AddRemoteListenerWith(t.Context(), "s", "n", hub.ListenerOptions{From: "start"}, func(hub.Event) {})
		if err != nil {
			t.Fatal(err)
		}
		if n := asked(time.Minute); n > 0 {
			t.Errorf("with a listener that hears events from the journal, it asks %d times in a minute", n)
		}
		if err := r.RemoveRemoteListener(t.Context(), fed); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var heard []string
		l, err := r.AddRemoteListener(t.Context(), "s", "n", func(ev hub.Event) {
			mu.Lock()
			defer mu.Unlock()
			heard = append(heard, ev.Data.String())
		})
		if err != nil {
			t.Fatal(err)
		}
		trigger(1, 2, 3)
		time.Sleep(time.Second) // it was asked a minute after the connection, and all is heard
		end := hub.Position(j.End())
		end.Sequence--
		if n := asked(10 * time.Second); n != 2 {
			t.Errorf("it asks %d times in ten seconds", n)
		}
		trigger(4, 5) // it has not asked behind these
		p.Cut()
		time.Sleep(time.Second)
		synctest.Wait()
		again := p.heard("add_listener")
		if len(again) != 1 {
			t.Fatalf("it registers %d times again", len(again))
		}
		var params struct {
			Resume hub.Position `json:"resume"`
		}
		if err := again[0].Decode(&params); err != nil || params.Resume != end {
			t.Errorf("it goes on at %v, not at %v (%v)", params.Resume, end, err)
		}
		trigger(6)
		time.Sleep(time.Second)
		synctest.Wait()
		mu.Lock()
		if want := []string{"1", "2", "3", "4", "5", "6"}; !slices.Equal(heard, want) {
			t.Errorf("it hears %q, not %q", heard, want)
		}
		mu.Unlock()
		if n := asked(10 * time.Second); n != 2 {
			t.Errorf("on the next connection, it asks %d times in ten seconds", n)
		}
		if err := r.RemoveRemoteListener(t.Context(), l); err != nil {
			t.Error(err)
		}
		if n := asked(time.Minute); n > 0 {
			t.Errorf("after its listener was removed, it asks %d times in a minute", n)
		}
	})
}
