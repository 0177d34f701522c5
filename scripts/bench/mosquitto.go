package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// mosquittoPeer is Debian's Mosquitto, QoS 1, without storage and without limits.
type mosquittoPeer struct{ mqttClients }

func (*mosquittoPeer) name() string { return peerMosquitto }
func (*mosquittoPeer) ahead() int   { return 0 }

// mosquittoConfig is its configuration, with the port.
const mosquittoConfig = `listener %s 127.0.0.1
allow_anonymous true
persistence false
max_inflight_messages 0
max_queued_messages 0
set_tcp_nodelay true
log_type error
`

func (p *mosquittoPeer) start(ctx context.Context, e *env) error {
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	file := filepath.Join(e.tmp, "mosquitto.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, mosquittoConfig, port), 0o644); err != nil {
		return err
	}
	p.proc, err = launch(ctx, e, addr, "mosquitto", "-c", file)
	return err
}
