package tcp

import (
	"log/slog"
	"runtime"
	"testing"

	"sighub/carrier"
	"sighub/carrier/carriertest"
)

var quiet = slog.New(slog.DiscardHandler)

func BenchmarkCarrier(b *testing.B) {
	for name, addr := range map[string]func(testing.TB) string{
		"tcp":  func(testing.TB) string { return loopback },
		"unix": func(t testing.TB) string { return "unix://" + t.TempDir() + "/hub" },
	} {
		for _, codec := range []carrier.Codec{carrier.CBOR, carrier.JSON} {
			b.Run(name+"/"+codec.Name(), func(b *testing.B) {
				carriertest.Bench(b, func(t testing.TB) *carriertest.Pair {
					hub, err := Listen(addr(t), Options{})
					if err != nil {
						t.Fatal(err)
					}
					return &carriertest.Pair{Hub: hub, Peer: NewClient(hub.Addr(), ClientOptions{Codec: codec})}
				})
			})
		}
	}
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
