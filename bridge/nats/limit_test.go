package nats_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"sighub/bridge/nats"
)

// BenchmarkLimit is what the server takes from a publisher that does nothing but publish, in the same batches as a bridge: the limit for
// [BenchmarkUp] on a machine. The messages are without headers, with the id alone, with what a bridge sends but the id, and with all.
func BenchmarkLimit(b *testing.B) {
	for _, headers := range []string{"none", "id", "without id", "all"} {
		b.Run("headers="+headers, func(b *testing.B) {
			server := newBroker(b, "")
			server.makeStream(2 * time.Minute)
			conn, err := natsgo.Connect(server.url(), natsgo.WriteBufferSize(64<<10))
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			inbox := natsgo.NewInbox()
			var acknowledged atomic.Uint64
			room := make(chan struct{}, 1)
			if _, err := conn.Subscribe(inbox+".>", func(m *natsgo.Msg) {
				var a struct{ Seq, Count uint64 }
				if err := json.Unmarshal(m.Data, &a); err != nil {
					b.Error(err)
				}
				acknowledged.Store(max(a.Seq, a.Count))
				select {
				case room <- struct{}{}:
				default:
				}
			}); err != nil {
				b.Fatal(err)
			}
			m := natsgo.Msg{Subject: "sighub.kitchen.-.s0.temperature", Data: []byte("21.5"), Header: natsgo.Header{}}
			id := make([]string, 1)
			if headers == "id" || headers == "all" {
				m.Header[natsgo.MsgIdHdr] = id
			}
			if headers == "without id" || headers == "all" {
				for key, value := range map[string]string{
					nats.HeaderTime: "2026-11-27T08:35:45.87948618Z", nats.HeaderEpoch: "1795768537425", nats.HeaderSeq: "123456",
					nats.HeaderPosition: "1/123456", nats.HeaderJournal: "0123456789abcdef",
				} {
					m.Header[key] = []string{value}
				}
			}
			begun, used := time.Now(), processorTime(b)
			b.ResetTimer()
			for i := range uint64(b.N) {
				for i-acknowledged.Load() >= 2000 {
					<-room
				}
				op := "1"
				switch i {
				case uint64(b.N) - 1:
					op = "2"
				case 0:
					op = "0"
				}
				m.Reply = inbox + ".x.500.fail." + strconv.FormatUint(i+1, 10) + "." + op + ".$FI"
				id[0] = "kitchen/s0/1795768537425/" + strconv.FormatUint(i, 10)
				if err := conn.PublishMsg(&m); err != nil {
					b.Fatal(err)
				}
			}
			for acknowledged.Load() < uint64(b.N) {
				<-room
			}
			b.ReportMetric(float64(b.N)/time.Since(begun).Seconds(), "events/s")
			b.ReportMetric(float64(processorTime(b)-used)/float64(b.N), "client-cpu-ns/event")
			b.Log(fmt.Sprint(server.memory()))
			server.kill()
			b.ReportMetric(float64(server.used)/float64(b.N), "server-cpu-ns/event")
		})
	}
}
