package local_test

import (
	"testing"

	"go.uber.org/goleak"

	"sighub/carrier"
	"sighub/carrier/carriertest"
	"sighub/carrier/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCarrier(t *testing.T) {
	for name, o := range map[string]local.Options{
		"CBOR":     {},
		"JSON":     {Codec: carrier.JSON},
		"Window 1": {Window: 1, MaxMessage: 256},
	} {
		t.Run(name, func(t *testing.T) {
			carriertest.Run(t, func(testing.TB) *carriertest.Pair {
				hub := local.NewHub(o)
				peer := hub.NewPeer("peer")
				size := o.MaxMessage
				if size == 0 {
					size = 1 << 20
				}
				return &carriertest.Pair{
					Hub: hub, Peer: peer,
					MaxData: size - 64, // what else a message holds
					Medium:  carriertest.Medium{Name: "peer", PackedIDs: true, NoSignalsToHub: true, NoSignalsToPeer: true},
					Cut:     peer.Cut,
					Dial:    func() carrier.Carrier { return hub.NewPeer("another") },
				}
			})
		})
	}
}
