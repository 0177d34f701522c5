package peers

import "net/netip"

// hubMQTT is sighub, at whose port clients speak MQTT, as those of the other MQTT brokers do.
type hubMQTT struct {
	mqttClients
	hub Sighub // says how it is started
}

func (*hubMQTT) Ahead() int { return 0 }

func (p *hubMQTT) Command(place *Place, addr netip.AddrPort) ([]string, error) {
	return p.hub.Command(place, addr)
}
