package hub

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/journal"
	"sighub/journal/journaltest"
)

// A frameCarrier has one client, a hub elsewhere, which offers a sender and then reports frames: those of ready.
type frameCarrier struct {
	messageCarrier
	ready chan *frameAnswers
}

func (*frameCarrier) Relays() {}

func (c *frameCarrier) Serve(ctx context.Context, h carrier.Handler) error {
	h.ClientConnected(carrier.Client{ID: 1, Codec: carrier.JSON, Hello: true, Window: 16})
	params := carrier.RawValue(carrier.JSON, []byte(`{"sender":"s","events":["x"]}`))
	h.HandleMessage(1, &carrier.Message{Method: "add_sender", Params: params}, func(carrier.Reply) {})
	for {
		select {
		case a := <-c.ready:
			var list []carrier.Signal
			for i := range 3 {
				data := carrier.RawValue(carrier.JSON, fmt.Append(nil, i))
				list = append(list, carrier.Signal{Route: &carrier.Route{Sender: "s", Event: "x"}, Data: data})
			}
			h.(carrier.SignalHandler).HandleSignals(1, list, a)
		case <-ctx.Done():
			h.AllClientsDisconnected(carrier.ErrShutdown)
			return nil
		}
	}
}

// TestFrameInHandAtShutdown: a hub that stops in the middle of a frame ends that, so that listeners do not hear it again, and begins none.
// It does not wait for longer than its grace.
func TestFrameInHandAtShutdown(t *testing.T) {
	for name, test := range map[string]struct {
		held     time.Duration
		heard    int
		answered string
	}{
		"in time":  {time.Second, 3, "done done done, "},
		"too long": {time.Hour, 1, ", "},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				disk := journaltest.NewFolder(1)
				j, err := journal.OpenFolder(disk, journal.Options{Segment: 64 << 10, Size: 1 << 20})
				if err != nil {
					t.Fatal(err)
				}
				s := NewServerRouter(ServerOptions{Journal: j, Grace: time.Minute})
				c := &frameCarrier{ready: make(chan *frameAnswers)}
				ctx, stop := context.WithCancel(t.Context())
				var serving sync.WaitGroup
				serving.Go(func() {
					if err := s.Serve(ctx, c); err != nil {
						t.Error(err)
					}
				})
				synctest.Wait()
				heard, began := 0, make(chan struct{})
				_, err = s.AddListener("s", "x", func(Event) {
					if heard++; heard == 1 {
						close(began)
						time.Sleep(test.held)
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				first := &frameAnswers{mark: carrier.Mark{Key: "link", State: []byte("1")}}
				second := &frameAnswers{mark: carrier.Mark{Key: "link", State: []byte("2")}}
				c.ready <- first
				<-began
				stop()
				synctest.Wait()
				c.ready <- second
				serving.Wait()
				if got := strings.Join([]string{first.String(), second.String()}, ", "); heard != test.heard || got != test.answered {
					t.Errorf("%d events are heard, and answered %q", heard, got)
				}
			})
		})
	}
}
