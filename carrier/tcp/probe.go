package tcp

import (
	"net"
	"time"

	"sighub/carrier"
	"sighub/listen"
)

// While a peer is probed, its system is asked each second whether it is there. It answers whatever the peer's program does. Six
// questions in a row without an answer mean that it has gone.
var probing = net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 5}

// probeTime is how long a peer is probed: somewhat longer than it takes to find that it has gone.
const probeTime = 9 * time.Second

// Probe implements [carrier.Prober]. The program at the other end of a Unix socket has always gone when its connection ends, and is not
// probed.
func (s *Server) Probe(id carrier.ClientID) {
	if c, err := s.peers.clients.Find(id); err == nil {
		c.probe()
	}
}

// probe finds out soon whether the peer has vanished, unless that is being done.
func (c *conn) probe() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why != nil || c.probed != nil {
		return
	}
	// With a user timeout, a single question without an answer would be enough after a long silence. But nothing is asked while
	// something that was written is not acknowledged, so that keeps its time: else a peer that has vanished would stay for as long
	// as it is probed again and again.
	var sent time.Duration
	if c.nc.Unacknowledged() {
		sent = c.limits.WriteTimeout
	}
	if !c.nc.KeepAlive(probing, sent) {
		return
	}
	c.timers.Add(1)
	c.probed = time.AfterFunc(probeTime, func() {
		defer c.timers.Done()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.probed = nil
		c.nc.KeepAlive(listen.KeepAlive, c.limits.WriteTimeout)
	})
}

// endProbe is called with the lock held.
func (c *conn) endProbe() {
	if c.probed != nil && c.probed.Stop() {
		c.timers.Done()
	}
}
