package tcp

import (
	"context"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"

	"sighub/carrier"
	"sighub/carrier/carriertest"
)

var quiet = slog.New(slog.DiscardHandler)

// benchPair serves a hub and a client of it, and returns the client and the hub's id there.
func benchPair(b *testing.B, codec carrier.Codec) (*Client, carrier.ClientID) {
	h := serveHub(b, loopback, Options{Logger: quiet}, nil)
	c := NewClient(h.Addr(), ClientOptions{Codec: codec})
	r := carriertest.NewRecorder(b, "client")
	ctx := serveCarrier(b, c, r)
	hub, err := r.Client(ctx)
	if err != nil {
		b.Fatal(err)
	}
	return c, hub.ID
}

var reading = &carrier.Message{Method: "echo", Params: carrier.ValueOf(carrier.Object{
	{Key: "info", Value: carrier.Object{{Key: "sender", Value: "light"}, {Key: "event", Value: "lux"}}},
	{Key: "data", Value: 512},
})}

func benchCodecs(b *testing.B, f func(b *testing.B, c *Client, id carrier.ClientID)) {
	for _, codec := range []carrier.Codec{carrier.CBOR, carrier.JSON} {
		b.Run(strings.ToUpper(codec.Name()), func(b *testing.B) {
			c, id := benchPair(b, codec)
			b.ReportAllocs()
			b.ResetTimer()
			f(b, c, id)
		})
	}
}

// BenchmarkEcho: one message at a time, there and back.
func BenchmarkEcho(b *testing.B) {
	benchCodecs(b, func(b *testing.B, c *Client, id carrier.ClientID) {
		done := make(chan struct{}, 1)
		for b.Loop() {
			if err := c.Transmit(context.Background(), id, reading, func(carrier.Reply, error) { done <- struct{}{} }); err != nil {
				b.Fatal(err)
			}
			<-done
		}
	})
}

// BenchmarkPipelined: as many messages at a time as the window lets through.
func BenchmarkPipelined(b *testing.B) {
	benchCodecs(b, func(b *testing.B, c *Client, id carrier.ClientID) {
		var done sync.WaitGroup
		for b.Loop() {
			done.Add(1)
			if err := c.Transmit(context.Background(), id, reading, func(carrier.Reply, error) { done.Done() }); err != nil {
				b.Fatal(err)
			}
		}
		done.Wait()
	})
}

// BenchmarkIdleClients: what a client costs that said hello and then nothing; the peer's end of the socket is
// not counted, as it belongs to the kernel.
func BenchmarkIdleClients(b *testing.B) {
	const clients = 400
	h := serveHub(b, "unix://"+b.TempDir()+"/hub", Options{Logger: quiet}, nil)
	for b.Loop() {
		before := memory()
		for range clients {
			h.greeted(Options{})
		}
		after := memory()
		b.ReportMetric(float64(after-before)/clients, "B/client")
	}
}

func memory() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
