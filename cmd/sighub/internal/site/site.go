// Package site puts together what the hub says over HTTP: the page, the interface for programs, and the numbers.
package site

import (
	"log/slog"
	"time"

	"sighub/bridge"
	"sighub/carrier"
	"sighub/carrier/serial"
	"sighub/hub"
	"sighub/journal"
	"sighub/web"
	"sighub/web/metrics"
	"sighub/web/page"
)

// Options are a [Site]'s.
type Options struct {
	Version    string
	Budget     *carrier.Budget
	MaxMessage int // bytes
	Logger     *slog.Logger
}

// A Site is what the hub says over HTTP.
type Site struct {
	*web.Site
	numbers metrics.Hub
}

// New returns a Site, which has to be told of the hub before it is served.
func New(o Options) *Site {
	s := &Site{numbers: metrics.Hub{Version: o.Version, Started: time.Now(), Budget: o.Budget}}
	s.Site = web.New(web.Options{
		Page: page.New(), Version: o.Version, Budget: o.Budget, MaxMessage: o.MaxMessage, Logger: o.Logger,
		Metrics: s.numbers.Write, Alive: s.alive, Ready: s.ready,
	})
	return s
}

// A Hub is what the numbers come from. The journal may be nil.
type Hub struct {
	Router   *hub.ServerRouter
	Carriers []carrier.Carrier
	Journal  *journal.Journal
	Ports    func() []serial.PortInfo
	Bridges  func() []bridge.Status
}

// Tell makes the hub known to the site.
func (s *Site) Tell(h Hub) {
	n := &s.numbers
	n.Senders, n.Clients, n.Journal, n.Ports, n.Bridges = h.Router.CountSenders, h.Router.CountClients, h.Journal, h.Ports, h.Bridges
	n.Connections = func() int { return Connections(h.Carriers) }
	n.Refused = func() map[string]uint64 {
		all := make(map[string]uint64)
		for _, c := range h.Carriers {
			if c, ok := c.(hub.Refuser); ok {
				for cause, n := range c.Refused() {
					all[cause] += n
				}
			}
		}
		return all
	}
}

// Connections counts those of the carriers that have some.
func Connections(carriers []carrier.Carrier) (n int) {
	for _, c := range carriers {
		if c, ok := c.(interface{ Connections() int }); ok {
			n += c.Connections()
		}
	}
	return n
}

// alive returns when the router answers.
func (s *Site) alive() { s.numbers.Senders() }

// ready says why nothing is kept, though it should be.
func (s *Site) ready() error {
	if s.numbers.Journal == nil {
		return nil
	}
	return s.numbers.Journal.Health().Err
}
