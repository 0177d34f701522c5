package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
)

// mosquittoPeer is Debian's Mosquitto, QoS 1, without storage and without limits.
type mosquittoPeer struct{ mqttClients }

func (*mosquittoPeer) ahead() int { return 0 }

// mosquittoConfig is its configuration, with the port.
const mosquittoConfig = `listener %d 127.0.0.1
allow_anonymous true
persistence false
max_inflight_messages 0
max_queued_messages 0
set_tcp_nodelay true
log_type error
`

func (*mosquittoPeer) command(e *env, addr netip.AddrPort) ([]string, error) {
	file := filepath.Join(e.tmp, "mosquitto.conf")
	return []string{"mosquitto", "-c", file}, os.WriteFile(file, fmt.Appendf(nil, mosquittoConfig, addr.Port()), 0o644)
}
