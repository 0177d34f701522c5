package local_test

import (
	"testing"

	"sighub/carrier"
	"sighub/carrier/carriertest"
	"sighub/carrier/local"
)

func BenchmarkCarrier(b *testing.B) {
	for _, codec := range []carrier.Codec{carrier.CBOR, carrier.JSON} {
		b.Run(codec.Name(), func(b *testing.B) {
			carriertest.Bench(b, func(testing.TB) *carriertest.Pair {
				hub := local.NewHub(local.Options{Codec: codec})
				return &carriertest.Pair{Hub: hub, Peer: hub.NewPeer("peer")}
			})
		})
	}
}
