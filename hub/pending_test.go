package hub

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
)

// A stuckSink takes signals and writes none of them.
type stuckSink struct {
	signals int
	bytes   int
}

func (s *stuckSink) Window() int  { return 1 << 20 }
func (s *stuckSink) Pending() int { return s.bytes }
func (s *stuckSink) Flush(bool)   {}
func (s *stuckSink) Put(_ *carrier.OutRoute, p *carrier.PackedSignal) (int, error) {
	b := p.AppendTo(nil, new(carrier.Routes), new(carrier.OutRoute))
	s.signals++
	s.bytes += len(b)
	return s.bytes, nil
}

// TestPendingIsHeld: what waits to be written counts as held by the outboxes, so that clients which read nothing do not
// make the hub hold more than it may, however many they are; and it is forgotten when they have gone.
func TestPendingIsHeld(t *testing.T) { synctest.Test(t, pendingIsHeld) }

func pendingIsHeld(t *testing.T) {
	const clients, ceiling = 50, 2 << 20 // each of them alone could have 256 KiB pending
	s := NewServerRouter(ServerOptions{Outbox: OutboxOptions{Memory: ceiling, Policy: Latest}})
	var tasks sync.WaitGroup
	d := &door{server: s, serving: context.Background(), tasks: &tasks, clients: make(map[carrier.ClientID]*remote)}
	sinks := make([]*stuckSink, clients)
	for i := range sinks {
		sinks[i] = new(stuckSink)
		id := carrier.ClientID(i + 1)
		d.ClientConnected(carrier.Client{ID: id, Codec: carrier.CBOR, Hello: true, Window: 100, Signals: sinks[i]})
		c := d.client(id)
		l := &Listener{sender: "light", router: s.Router, remote: c, policy: Latest}
		if err := s.listen(l, false); err != nil {
			t.Fatal(err)
		}
		c.listeners[l.id] = l
	}
	sender, err := s.AddSender("light", SenderOptions{Events: []string{"lux"}})
	if err != nil {
		t.Fatal(err)
	}
	lux, err := sender.Signal("lux")
	if err != nil {
		t.Fatal(err)
	}
	data := carrier.RawValue(carrier.CBOR, append([]byte{0x59, 4, 0}, make([]byte, 1024)...))
	for range 2000 {
		if err := lux.Trigger(t.Context(), data); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond) // so that they are late when memory is scarce
	}
	pending := 0
	for _, sink := range sinks {
		pending += sink.bytes
	}
	held := int(s.held.Load())
	// Each may be a step over, and hold one event when the others hold all there is.
	if slack := clients * (pendingStep + 2048); pending < ceiling/2 || pending > ceiling+slack || held > ceiling+slack {
		t.Errorf("%d bytes are pending and %d held, of %d", pending, held, ceiling)
	}
	for _, sink := range sinks { // it was written, all but a little
		sink.bytes = 1000
	}
	for id := range clients {
		d.SignalsAnswered(carrier.ClientID(id+1), 1, nil)
	}
	for i, sink := range sinks {
		sink.bytes = 0
		d.SignalsAnswered(carrier.ClientID(i+1), 1, nil)
	}
	if held := int(s.held.Load()); held > clients*2048 {
		t.Errorf("when all is written, %d bytes are held", held)
	}
	for i := range sinks {
		d.ClientDisconnected(carrier.ClientID(i+1), carrier.ErrClosed)
	}
	tasks.Wait()
	if held := s.held.Load(); held != 0 {
		t.Errorf("when all have gone, %d bytes are held", held)
	}
}
