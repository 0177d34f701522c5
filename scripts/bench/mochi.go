package main

import (
	"net/netip"
	"path/filepath"
)

// mochiPeer is mochi-mqtt, QoS 1, in our own program, because the original has no flags for these settings: see cmd/mochi.
type mochiPeer struct{ mqttClients }

// ahead: mochi drops what does not fit into a client's queue of 8,192.
func (*mochiPeer) ahead() int { return 6000 }

func (*mochiPeer) command(e *env, addr netip.AddrPort) ([]string, error) {
	return []string{filepath.Join(e.bin, "mochi"), addr.String()}, nil
}
