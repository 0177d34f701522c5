package main

import (
	"context"
	"path/filepath"
)

// mochiPeer is mochi-mqtt, QoS 1, in our own program, because the original has no flags for these settings: see cmd/mochi.
type mochiPeer struct{ mqttClients }

func (*mochiPeer) name() string { return peerMochi }

// ahead: mochi drops what does not fit into a client's queue of 8,192.
func (*mochiPeer) ahead() int { return 6000 }

func (p *mochiPeer) start(ctx context.Context, e *env) error {
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	p.proc, err = launch(ctx, e, addr, filepath.Join(e.bin, "mochi"), addr)
	return err
}
