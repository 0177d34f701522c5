// Package peers has the brokers that the benchmark measures, and their clients.
package peers

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// A Peer is a broker under test: a separate process that senders and listeners reach over TCP on the loopback interface. The methods
// from Publisher on make clients, each with its own connection, and may be called concurrently.
type Peer interface {
	// Command returns the program and its arguments, with which it listens on addr.
	Command(place *Place, addr netip.AddrPort) ([]string, error)
	// Running returns the process of the program.
	Running() *Process
	// At says where the peer runs, in another process than this one perhaps: its address, and the folder Tmp of its Place.
	At(addr, tmp string)
	// Acknowledged reports whether the peer guarantees delivery. If so, a missing message fails the case.
	Acknowledged() bool
	// Ahead returns how many messages the senders together may be ahead of the slowest listener; 0: any number. It is set if
	// the peer would drop messages otherwise, and far above what keeps it busy.
	Ahead() int

	// Publisher returns the sender of that number.
	Publisher(ctx context.Context, sender int) (Publisher, error)
	// Subscribe listens to one sender, or to Everyone. One goroutine at a time calls fn, which must not keep its argument. Everything
	// that is sent after Subscribe returns is heard.
	Subscribe(ctx context.Context, sender int, fn func(payload []byte)) (Closer, error)
	// Respond answers each request with the request.
	Respond(ctx context.Context) (Closer, error)
	// Requester sends requests to the one who responds.
	Requester(ctx context.Context) (Requester, error)
}

// A Place has what a program needs to run.
type Place struct {
	Bin  string // folder of the programs
	Tmp  string // folder of this run
	Disk string // another one, on a disk

	Senders int    // number of senders, for peers that must know it at the start
	Profile string // a Unix socket for profiles, of programs that have some
}

// Everyone is the subscription to all senders.
const Everyone = -1

// A Closer is a client that can be closed.
type Closer interface{ Close() }

// A Publisher sends messages in order. It belongs to one goroutine.
type Publisher interface {
	Closer
	// Publish sends a copy of the payload, now or together with what follows.
	Publish(payload []byte) error
	// Flush sends what was published.
	Flush() error
	// Drain flushes and, if the peer acknowledges, waits until everything is acknowledged.
	Drain() error
}

// A Requester may be used by several goroutines, each with its own slot from 0 on.
type Requester interface {
	Closer
	// Request returns the answer, which is valid until the slot's next request.
	Request(ctx context.Context, slot int, payload []byte) ([]byte, error)
}

// Patience bounds each wait for a peer: connecting, subscribing, the answer to one request.
const Patience = 30 * time.Second

// The names of the peers, in the order of the table's columns.
const (
	Hub           = "sighub"
	HubBare       = "sighub-bare"
	HubKeeps      = "sighub-keeps"
	HubJSON       = "sighub-json"
	HubTLS        = "sighub-tls"
	HubMQTT       = "sighub-mqtt"
	Journal       = "sighub-journal"
	JournalMQTT   = "sighub-mqtt-journal"
	SlowDisk      = "sighub-slow-disk"
	Mosquitto     = "mosquitto"
	MosquittoDisk = "mosquitto-disk"
	NATS          = "nats"
	NATSTLS       = "nats-tls"
	JetStream     = "nats-js"
	JetStreamSync = "nats-js-sync"
	Mochi         = "mochi"
	Relay         = "relay"
)

// SlowDiskBy is how much longer each sync of SlowDisk takes.
const SlowDiskBy = 10 * time.Millisecond

// Names lists them.
func Names() []string {
	return []string{
		Hub, HubBare, HubKeeps, HubJSON, HubTLS, HubMQTT, Journal, JournalMQTT, SlowDisk, Mosquitto, MosquittoDisk, NATS, NATSTLS,
		JetStream, JetStreamSync, Mochi, Relay,
	}
}

// New returns a peer that is not started.
func New(name string) (Peer, error) {
	p := map[string]Peer{
		Hub:           new(Sighub),
		HubBare:       new(barePeer),
		HubKeeps:      &Sighub{Keeps: true},
		HubJSON:       &Sighub{JSON: true},
		HubTLS:        &Sighub{TLS: true},
		HubMQTT:       new(hubMQTT),
		Journal:       &Sighub{Journal: true},
		JournalMQTT:   &hubMQTT{hub: Sighub{Journal: true}, mqttClients: mqttClients{persistent: true}},
		SlowDisk:      &Sighub{Journal: true, Slower: SlowDiskBy},
		Mosquitto:     new(mosquittoPeer),
		MosquittoDisk: &mosquittoPeer{mqttClients{persistent: true}},
		NATS:          new(natsPeer),
		NATSTLS:       &natsPeer{tls: true},
		JetStream:     new(jetStreamPeer),
		JetStreamSync: &jetStreamPeer{sync: "always"},
		Mochi:         new(mochiPeer),
		Relay:         new(relayPeer),
	}[name]
	if p == nil {
		return nil, fmt.Errorf("no peer is called %q: the peers are %v", name, Names())
	}
	return p, nil
}
