package carriertest_test

import (
	"testing"

	"sighub/carrier/carriertest"
	"sighub/carrier/local"
)

// A carrier's test is a function like this one.
func Example() {
	_ = func(t *testing.T) {
		carriertest.Run(t, func(testing.TB) *carriertest.Pair {
			hub := local.NewHub(local.Options{})
			peer := hub.NewPeer("peer")
			return &carriertest.Pair{
				Hub: hub, Peer: peer, MaxData: 1000, Cut: peer.Cut,
				Medium: carriertest.Medium{Name: "peer", PackedIDs: true, NoSignalsToHub: true, NoSignalsToPeer: true},
			}
		})
	}
	// Output:
}
