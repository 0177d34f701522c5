package hub_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/hub"
)

// BenchmarkTCP is the way of an acknowledged event of 64 bytes from one client through the hub to others, over TCP and
// all in one process: its time is that of all three, and so are its allocations.
func BenchmarkTCP(b *testing.B) {
	for _, codec := range []carrier.Codec{carrier.CBOR, carrier.JSON} {
		for _, n := range []int{1, 10} {
			b.Run(fmt.Sprintf("%s/listeners=%d", codec.Name(), n), func(b *testing.B) { benchTCP(b, codec, n) })
		}
	}
}

// A benchHub is a hub on TCP, and what connects to it; all in one process.
type benchHub struct {
	ctx     context.Context
	server  *tcp.Server
	running sync.WaitGroup
}

func newBenchHub(b *testing.B) *benchHub {
	server, err := tcp.Listen("tcp://127.0.0.1:0", tcp.Options{})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	h := &benchHub{ctx: ctx, server: server}
	b.Cleanup(func() {
		stop()
		h.running.Wait()
	})
	h.running.Go(func() { _ = hub.NewServerRouter(hub.ServerOptions{}).Serve(ctx, server) })
	return h
}

func (h *benchHub) client(codec carrier.Codec) *hub.ClientRouter {
	r := hub.NewClientRouter(hub.ClientOptions{})
	h.running.Go(func() { _ = r.Serve(h.ctx, tcp.NewClient(h.server.Addr(), tcp.ClientOptions{Codec: codec})) })
	return r
}

// payload is a value of 64 bytes.
func payload(codec carrier.Codec) carrier.Value {
	if codec == carrier.JSON {
		return carrier.RawValue(codec, []byte(`"0123456789012345678901234567890123456789012345678901234567890123"`))
	}
	return carrier.RawValue(codec, append([]byte{0x58, 0x40}, make([]byte, 64)...))
}

func benchTCP(b *testing.B, codec carrier.Codec, n int) {
	h := newBenchHub(b)
	ctx, client := h.ctx, func() *hub.ClientRouter { return h.client(codec) }
	sender, err := client().AddRemoteSender(ctx, "light", hub.SenderOptions{Events: []string{"lux"}})
	if err != nil {
		b.Fatal(err)
	}
	var heard atomic.Int64
	all := make(chan struct{})
	for range n {
		if _, err := client().AddRemoteListener(ctx, "light", "lux", func(hub.Event) {
			if heard.Add(1) == int64(n*b.N) {
				close(all)
			}
		}); err != nil {
			b.Fatal(err)
		}
	}
	signal, err := sender.Signal("lux")
	if err != nil {
		b.Fatal(err)
	}
	value := payload(codec)
	var failed atomic.Int64
	done := func(err error) {
		if err != nil {
			failed.Add(1)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if err := signal.TriggerAsync(ctx, &value, done); err != nil {
			b.Fatal(err)
		}
	}
	<-all
	b.StopTimer()
	if failed.Load() > 0 {
		b.Errorf("%d events failed", failed.Load())
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkRequest is the way of a request of 64 bytes from one client through the hub to another, and of the answer back,
// so many at a time, over TCP and all in one process.
func BenchmarkRequest(b *testing.B) {
	for _, codec := range []carrier.Codec{carrier.CBOR, carrier.JSON} {
		for _, n := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/at once=%d", codec.Name(), n), func(b *testing.B) { benchRequest(b, codec, n) })
		}
	}
}

func benchRequest(b *testing.B, codec carrier.Codec, n int) {
	h := newBenchHub(b)
	echo := func(_ context.Context, _ string, params carrier.Value) (any, error) { return params, nil }
	if _, err := h.client(codec).AddRemoteSender(h.ctx, "light", hub.SenderOptions{Requests: map[string]hub.RequestHandler{"echo": echo}}); err != nil {
		b.Fatal(err)
	}
	asking, value := h.client(codec), payload(codec)
	if err := asking.WaitConnected(h.ctx); err != nil {
		b.Fatal(err)
	}
	var next atomic.Int64
	var all sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range n {
		all.Go(func() {
			for next.Add(1) <= int64(b.N) {
				if _, err := asking.RemoteRequest(h.ctx, "light", "echo", value); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}
