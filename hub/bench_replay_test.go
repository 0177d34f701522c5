package hub_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/hub"
	"sighub/journal"
)

// BenchmarkReplay is the way of an event of 64 bytes from the journal to one client, over TCP and all in one process.
func BenchmarkReplay(b *testing.B) {
	const events = 1 << 20
	for _, codec := range []carrier.Codec{carrier.CBOR, carrier.JSON} {
		b.Run(codec.Name(), func(b *testing.B) {
			j, err := journal.Open(b.TempDir(), journal.Options{Size: 1 << 30})
			if err != nil {
				b.Fatal(err)
			}
			server, err := tcp.Listen("tcp://127.0.0.1:0", tcp.Options{})
			if err != nil {
				b.Fatal(err)
			}
			ctx, stop := context.WithCancel(context.Background())
			var running sync.WaitGroup
			defer running.Wait()
			defer stop()
			running.Go(func() { _ = hub.NewServerRouter(hub.ServerOptions{Journal: j}).Serve(ctx, server) })
			raw, err := payload(codec).AppendTo(nil, codec)
			if err != nil {
				b.Fatal(err)
			}
			group := j.NewGroup()
			for i := range events {
				group.Add(journal.Event{
					Topic: journal.Topic{Sender: "light", Event: "lux"}, Connection: 1795644000123, Seq: uint64(i + 1),
					Time: 1795644000123456789 + int64(i)*1000, JSON: codec == carrier.JSON, Data: raw,
				})
				if i%1000 == 999 {
					for room := j.Room(); room != nil; room = j.Room() {
						<-room
					}
					group.Append(0)
				}
			}
			group.Append(time.Millisecond)
			if err := j.Sync(ctx); err != nil {
				b.Fatal(err)
			}
			r := hub.NewClientRouter(hub.ClientOptions{})
			running.Go(func() { _ = r.Serve(ctx, tcp.NewClient(server.Addr(), tcp.ClientOptions{Codec: codec})) })
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				var heard atomic.Int64
				all := make(chan struct{})
				o := hub.ListenerOptions{Cursor: "bench", From: "start"}
				l, err := r.AddRemoteListenerWith(ctx, "light", "lux", o, func(hub.Event) {
					if heard.Add(1) == events {
						close(all)
					}
				})
				if err != nil {
					b.Fatal(err)
				}
				<-all
				if err := r.RemoveRemoteListener(ctx, l); err != nil {
					b.Fatal(err)
				}
				if err := r.RemoveCursor(ctx, "bench"); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			b.ReportMetric(float64(events*b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
