package peers

import (
	"net/netip"
	"path/filepath"
)

// mochiPeer is mochi-mqtt, QoS 1, in our own program, because the original has no flags for these settings: see cmd/mochi.
type mochiPeer struct{ mqttClients }

// MochiAhead is how many messages the senders of mochi may be ahead: it drops what does not fit into a client's queue of 8,192.
const MochiAhead = 6000

func (*mochiPeer) Ahead() int { return MochiAhead }

func (*mochiPeer) Command(place *Place, addr netip.AddrPort) ([]string, error) {
	return []string{filepath.Join(place.Bin, "mochi"), addr.String()}, nil
}
