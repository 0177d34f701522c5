package peers

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
)

// mosquittoPeer is Debian's Mosquitto, QoS 1, without limits.
type mosquittoPeer struct {
	// If they are persistent, it saves sessions, and what waits for them, as often as it can: each second. It cannot sync what it
	// acknowledges.
	mqttClients
}

func (*mosquittoPeer) Ahead() int { return 0 }

// mosquittoConfig is its configuration, with the port and what it saves.
const mosquittoConfig = `listener %d 127.0.0.1
allow_anonymous true
max_inflight_messages 0
max_queued_messages 0
set_tcp_nodelay true
log_type error
%s
`

// What it saves. It would change its user if it were started by root, and then could not write where it is to.
const (
	mosquittoForgets = "persistence false"
	mosquittoSaves   = "user root\npersistence true\npersistence_location %s/\nautosave_interval 1"
)

func (p *mosquittoPeer) Command(place *Place, addr netip.AddrPort) ([]string, error) {
	saves := mosquittoForgets
	if p.persistent {
		saves = fmt.Sprintf(mosquittoSaves, place.Disk)
	}
	file := filepath.Join(place.Tmp, "mosquitto.conf")
	return []string{"mosquitto", "-c", file}, os.WriteFile(file, fmt.Appendf(nil, mosquittoConfig, addr.Port(), saves), 0o644)
}
