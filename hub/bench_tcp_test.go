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

func benchTCP(b *testing.B, codec carrier.Codec, n int) {
	server, err := tcp.Listen("tcp://127.0.0.1:0", tcp.Options{})
	if err != nil {
		b.Fatal(err)
	}
	var running sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	defer running.Wait()
	defer stop()
	running.Go(func() { _ = hub.NewServerRouter(hub.ServerOptions{}).Serve(ctx, server) })
	client := func() *hub.ClientRouter {
		r := hub.NewClientRouter(hub.ClientOptions{})
		running.Go(func() { _ = r.Serve(ctx, tcp.NewClient(server.Addr(), tcp.ClientOptions{Codec: codec})) })
		return r
	}
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
	data := make([]byte, 64)
	value := carrier.RawValue(codec, append([]byte{0x58, 0x40}, data...))
	if codec == carrier.JSON {
		value = carrier.RawValue(codec, []byte(`"0123456789012345678901234567890123456789012345678901234567890123"`))
	}
	var failed atomic.Int64
	done := func(err error) {
		if err != nil {
			failed.Add(1)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if err := signal.TriggerAsync(ctx, value, done); err != nil {
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
