package carriertest

import (
	"context"
	"sync"
	"testing"

	"sighub/carrier"
)

// Bench measures a carrier as [Run] proves it: connect makes a pair for each benchmark, which uses only Hub and Peer.
// Times and allocations are those of both ends together, as both are in this process.
//
//	Echo       one message at a time from the peer to the hub, answered with its params
//	Pipelined  as many at a time as the window lets through
//	Signals    the same as a stream of signals, where the medium has them
func Bench(b *testing.B, connect func(t testing.TB) *Pair) {
	run := func(name string, f func(*testing.B, *benchEnds)) {
		b.Run(name, func(b *testing.B) {
			e := newBenchEnds(b, connect)
			defer e.stop()
			b.ReportAllocs()
			f(b, e)
		})
	}
	run("Echo", benchEcho)
	run("Pipelined", benchPipelined)
	e := newBenchEnds(b, connect)
	e.stop()
	if e.hub.Signals != nil {
		run("Signals", benchSignals)
	}
}

// benchMessage is a reading of 64 bytes.
func benchMessage() *carrier.Message {
	return &carrier.Message{Method: "echo", Params: carrier.ValueOf("64 bytes of payload, as the benchmarks of brokers have them ....")}
}

// benchEnds are both ends of a pair, served.
type benchEnds struct {
	peer   carrier.Carrier
	hub    carrier.Client // as the peer has it
	atPeer *benchHandler
	stop   func()
}

func newBenchEnds(tb testing.TB, connect func(t testing.TB) *Pair) *benchEnds {
	pair := connect(tb)
	ctx, stop := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serve := func(c carrier.Carrier) *benchHandler {
		h := &benchHandler{connected: make(chan carrier.Client, 1)}
		h.changed = sync.NewCond(&h.mu)
		serving.Go(func() {
			if err := c.Serve(ctx, h); err != nil {
				tb.Error(err)
			}
		})
		return h
	}
	serve(pair.Hub)
	e := &benchEnds{peer: pair.Peer, atPeer: serve(pair.Peer), stop: func() { stop(); serving.Wait() }}
	e.hub = <-e.atPeer.connected
	return e
}

// A benchHandler answers that everything is done, and remembers nothing.
type benchHandler struct {
	connected chan carrier.Client

	mu       sync.Mutex
	changed  *sync.Cond
	answered int // signals
}

func (h *benchHandler) ClientConnected(c carrier.Client) { h.connected <- c }

func (*benchHandler) HandleMessage(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
	respond(carrier.Reply{Response: m.Params})
}

func (*benchHandler) ClientDisconnected(carrier.ClientID, error) {}
func (*benchHandler) AllClientsDisconnected(error)               {}

func (*benchHandler) HandleSignals(_ carrier.ClientID, signals []carrier.Signal, answers carrier.Answers) {
	answers.Done(len(signals))
}

func (h *benchHandler) SignalsAnswered(_ carrier.ClientID, n int, _ *carrier.Reply) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answered += n
	h.changed.Broadcast()
}

// until waits until this many signals are answered.
func (h *benchHandler) until(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.answered < n {
		h.changed.Wait()
	}
}

func benchEcho(b *testing.B, e *benchEnds) {
	m, done := benchMessage(), make(chan error, 1)
	for b.Loop() {
		if err := e.peer.Transmit(context.Background(), e.hub.ID, m, func(_ carrier.Reply, err error) { done <- err }); err != nil {
			b.Fatal(err)
		}
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}

func benchPipelined(b *testing.B, e *benchEnds) {
	m := benchMessage()
	var underWay sync.WaitGroup
	for b.Loop() {
		underWay.Add(1)
		if err := e.peer.Transmit(context.Background(), e.hub.ID, m, func(_ carrier.Reply, err error) {
			if err != nil {
				b.Error(err)
			}
			underWay.Done()
		}); err != nil {
			b.Fatal(err)
		}
	}
	underWay.Wait()
}

func benchSignals(b *testing.B, e *benchEnds) {
	sink, route := e.hub.Signals, &carrier.OutRoute{Route: carrier.Route{Sender: "light", Event: "lux"}}
	signal := carrier.Signal{Data: benchMessage().Params}
	var packed carrier.PackedSignal
	sent := 0
	for b.Loop() {
		if sent%sink.Window() == 0 || sink.Pending() >= carrier.PendingLimit {
			e.atPeer.until(sent)
		}
		err := packed.Pack(e.hub.Codec, &signal)
		if err == nil {
			_, err = sink.Put(route, &packed)
		}
		if err != nil {
			b.Fatal(err)
		}
		sink.Submit()
		sink.Flush(false)
		sent++
	}
	e.atPeer.until(sent)
}
