package peers

import "net/netip"

// hubMQTT is sighub, at whose port clients speak MQTT, as those of the other MQTT brokers do.
type hubMQTT struct {
	mqttClients
	hub Sighub // says how it is started
}

// journalAhead is how many messages the senders may be ahead of a listener that hears from the journal, which is small: it makes room for
// new ones at the cost of the oldest.
const journalAhead = 200_000

func (p *hubMQTT) Ahead() int {
	if p.hub.Journal {
		return journalAhead
	}
	return 0
}

func (p *hubMQTT) Command(place *Place, addr netip.AddrPort) ([]string, error) {
	return p.hub.Command(place, addr)
}
