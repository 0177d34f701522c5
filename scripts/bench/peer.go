package main

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// A peer is a broker under test: a separate process that senders and listeners reach over TCP on the loopback interface. The methods
// from publisher on make clients, each with its own connection, and may be called concurrently.
type peer interface {
	// command returns the program and its arguments, with which it listens on addr.
	command(e *env, addr netip.AddrPort) ([]string, error)
	// running returns the process that withPeer starts.
	running() *process
	// at says where the peer runs: its address, and the folder tmp of the env that it was started with.
	at(addr, tmp string)
	// acknowledged reports whether the peer guarantees delivery. If so, a missing message fails the case.
	acknowledged() bool
	// ahead returns how many messages the senders together may be ahead of the slowest listener; 0: any number. It is set if
	// the peer would drop messages otherwise, and far above what keeps it busy.
	ahead() int

	// publisher returns the sender of that number.
	publisher(ctx context.Context, sender int) (publisher, error)
	// subscribe listens to one sender, or to everyone. One goroutine at a time calls fn, which must not keep its argument. Everything
	// that is sent after subscribe returns is heard.
	subscribe(ctx context.Context, sender int, fn func(payload []byte)) (closer, error)
	// respond answers each request with the request.
	respond(ctx context.Context) (closer, error)
	// requester sends requests to the one who responds.
	requester(ctx context.Context) (requester, error)
}

// everyone is the subscription to all senders.
const everyone = -1

type closer interface{ close() }

// A publisher sends messages in order. It belongs to one goroutine.
type publisher interface {
	closer
	// publish sends a copy of the payload, now or together with what follows.
	publish(payload []byte) error
	// flush sends what was published.
	flush() error
	// drain flushes and, if the peer acknowledges, waits until everything is acknowledged.
	drain() error
}

// A requester may be used by several goroutines, each with its own slot from 0 on.
type requester interface {
	closer
	// request returns the answer, which is valid until the slot's next request.
	request(ctx context.Context, slot int, payload []byte) ([]byte, error)
}

// patience bounds each wait for a peer: connecting, subscribing, the answer to one request.
const patience = 30 * time.Second

// The names of the peers, in the order of the table's columns.
const (
	peerHub           = "sighub"
	peerHubBare       = "sighub-bare"
	peerHubJSON       = "sighub-json"
	peerHubTLS        = "sighub-tls"
	peerJournal       = "sighub-journal"
	peerSlowDisk      = "sighub-slow-disk"
	peerMosquitto     = "mosquitto"
	peerMosquittoDisk = "mosquitto-disk"
	peerNATS          = "nats"
	peerNATSTLS       = "nats-tls"
	peerJetStream     = "nats-js"
	peerJetStreamSync = "nats-js-sync"
	peerMochi         = "mochi"
	peerRelay         = "relay"
)

// slowDiskBy is how much longer each sync of peerSlowDisk takes.
const slowDiskBy = 10 * time.Millisecond

// peerNames lists them.
func peerNames() []string {
	return []string{
		peerHub, peerHubBare, peerHubJSON, peerHubTLS, peerJournal, peerSlowDisk, peerMosquitto, peerMosquittoDisk, peerNATS, peerNATSTLS, peerJetStream,
		peerJetStreamSync, peerMochi, peerRelay,
	}
}

// newPeer returns a peer that is not started.
func newPeer(name string) (peer, error) {
	p := map[string]peer{
		peerHub:           new(hubPeer),
		peerHubBare:       new(barePeer),
		peerHubJSON:       &hubPeer{json: true},
		peerHubTLS:        &hubPeer{tls: true},
		peerJournal:       &hubPeer{journal: true},
		peerMosquitto:     new(mosquittoPeer),
		peerSlowDisk:      &hubPeer{journal: true, slower: slowDiskBy},
		peerMosquittoDisk: &mosquittoPeer{mqttClients{persistent: true}},
		peerNATS:          new(natsPeer),
		peerNATSTLS:       &natsPeer{tls: true},
		peerJetStream:     new(jetStreamPeer),
		peerJetStreamSync: &jetStreamPeer{sync: "always"},
		peerMochi:         new(mochiPeer),
		peerRelay:         new(relayPeer),
	}[name]
	if p == nil {
		return nil, fmt.Errorf("no peer is called %q: the peers are %v", name, peerNames())
	}
	return p, nil
}
