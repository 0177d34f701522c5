package hub_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/hub"
)

// A messagesOnly is a carrier whose handler takes no streams, so that signals travel as messages.
type messagesOnly struct{ carrier.Carrier }

func (c messagesOnly) Serve(ctx context.Context, h carrier.Handler) error {
	return c.Carrier.Serve(ctx, struct{ carrier.Handler }{h})
}

// BenchmarkMessages is the way of an acknowledged event from one client through the hub to another, as messages.
func BenchmarkMessages(b *testing.B) {
	for _, codec := range []carrier.Codec{carrier.CBOR, carrier.JSON} {
		b.Run(codec.Name(), func(b *testing.B) {
			h := newBenchHub(b)
			client := func() *hub.ClientRouter {
				r := hub.NewClientRouter(hub.ClientOptions{})
				c := messagesOnly{tcp.NewClient(h.server.Addr(), tcp.ClientOptions{Codec: codec})}
				h.running.Go(func() { _ = r.Serve(h.ctx, c) })
				return r
			}
			var heard atomic.Int64
			all := make(chan struct{})
			if _, err := client().AddRemoteListener(h.ctx, "light", "lux", func(hub.Event) {
				if heard.Add(1) == int64(b.N) {
					close(all)
				}
			}); err != nil {
				b.Fatal(err)
			}
			sender, err := client().AddRemoteSender(h.ctx, "light", hub.SenderOptions{Events: []string{"lux"}})
			if err != nil {
				b.Fatal(err)
			}
			signal, err := sender.Signal("lux")
			if err != nil {
				b.Fatal(err)
			}
			value := payload(codec)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				if err := signal.TriggerAsync(h.ctx, value, nil); err != nil {
					b.Fatal(err)
				}
			}
			<-all
		})
	}
}

// BenchmarkLegacy is the way of an event to a legacy client, which takes one message at a time.
func BenchmarkLegacy(b *testing.B) {
	h := newBenchHub(b)
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.server.Addr(), "tcp://"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	messages := json.NewDecoder(conn)
	fmt.Fprint(conn, `{"id": 1, "method": "add_listener", "params": {"sender": "light", "event": "lux"}}`)
	var m struct{ ID json.RawMessage }
	if err := messages.Decode(&m); err != nil {
		b.Fatal(err)
	}
	sender, err := h.client(carrier.JSON).AddRemoteSender(h.ctx, "light", hub.SenderOptions{Events: []string{"lux"}})
	if err != nil {
		b.Fatal(err)
	}
	signal, err := sender.Signal("lux")
	if err != nil {
		b.Fatal(err)
	}
	value := payload(carrier.JSON)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if err := signal.TriggerAsync(h.ctx, value, nil); err != nil {
			b.Fatal(err)
		}
		if err := messages.Decode(&m); err != nil {
			b.Fatal(err)
		}
		fmt.Fprintf(conn, `{"id": %s, "status": 0, "response": null}`, m.ID)
	}
}
