package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"sighub/scripts/bench/peers"
)

// A benchCase measures one thing, with the peers that support it.
type benchCase struct {
	name  string
	about string
	peers []string
	// run starts the peer, measures it once, and stops it.
	run func(ctx context.Context, e *env, p peers.Peer) ([]figure, error)
}

// A figure is one result of a case.
type figure struct {
	Name  string // with its unit
	Value float64
}

// An env has what a case may use.
type env struct {
	peers.Place
	peer    string // the name of the one that is measured
	warm    time.Duration
	span    time.Duration // how long to measure
	counted bool          // system calls are counted

	profile string // file for a profile of the hub while it is measured; empty: none
}

// brokers are the peers for cases that only need messages.
func brokers() []string {
	return []string{peers.Hub, peers.Mosquitto, peers.NATS, peers.Mochi, peers.Relay}
}

// allCases lists the cases in the order in which they run.
func allCases() []benchCase {
	clients := slices.Concat(brokers(), []string{peers.HubBare, peers.HubMQTT, peers.HubTLS, peers.NATSTLS})
	keepers := []string{peers.Journal, peers.JournalMQTT, peers.MosquittoDisk, peers.JetStream, peers.JetStreamSync}
	messages := slices.Concat(clients, []string{peers.HubKeeps, peers.HubJSON}, keepers)
	starting := slices.Concat(brokers(), []string{peers.Journal})
	connected := slices.Concat(brokers(), []string{peers.HubTLS, peers.NATSTLS})
	return []benchCase{
		{"one-to-one", "1 sender, 1 listener, as fast as it goes", peers.Names(), fan{1, 1, 0}.run},
		{"one-to-10", "1 sender, 10 listeners", messages, fan{1, 10, 0}.run},
		{"100-to-10", "100 senders, 10 listeners that hear everything", brokers(), fan{100, 10, 10_000}.run},
		{"one-to-1000", "1 sender, 1,000 listeners", brokers(), fan{1, 1000, 64}.run},
		{"request-1", "round trips, one at a time", clients, requests{1}.run},
		{"request-64", "round trips, 64 at a time over one connection", clients, requests{64}.run},
		{"latency", "1 sender, 1 listener, 1,000 events/s", messages, latency},
		{"ack-one", "1 event at a time: until it is acknowledged", slices.Concat([]string{peers.Hub}, keepers), ackOne},
		{"devices", "200 devices on 200 PTYs, 20 readings/s each, to 1 listener", []string{peers.Hub}, devices},
		{"slow-listener", "1 of 101 listeners stops reading for good", []string{peers.Hub}, slowListener},
		{"replay", "what a hub has kept, to 1 listener", []string{peers.Journal}, replay},
		{"idle", "10,000 listeners that hear nothing", connected, idle},
		{"startup", "from the start of the program to the first connection, and its memory", starting, startup},
		{"rest", "nobody is connected: memory, wake-ups, system calls", starting, rest},
		{"in-process", "hub.Router alone, local listeners", []string{peers.Hub}, inProcess},
	}
}

// withPeer calls use while the peer runs, and returns its figures. When ctx is done it kills the peer, which ends everything that waits
// for it.
func withPeer(ctx context.Context, e *env, p peers.Peer, use func() ([]figure, error)) ([]figure, error) {
	addr, err := peers.FreeAddr()
	if err != nil {
		return nil, err
	}
	command, err := p.Command(&e.Place, addr)
	if err != nil {
		return nil, err
	}
	running := p.Running()
	if err := running.Start(ctx, &e.Place, addr.String(), command[0], command[1:]...); err != nil {
		return nil, err
	}
	defer running.End()
	p.At(addr.String(), e.Tmp)
	defer context.AfterFunc(ctx, running.Kill)()
	figures, err := use()
	if ctx.Err() != nil {
		return nil, errors.Join(context.Cause(ctx), err)
	}
	return figures, err
}

// withCrowd calls use with a crowd of the peer's clients while the peer runs.
func withCrowd(ctx context.Context, e *env, p peers.Peer, f fan, use func(*crowd) ([]figure, error)) ([]figure, error) {
	e.Senders = f.senders
	return withPeer(ctx, e, p, func() ([]figure, error) {
		c, err := newCrowdApart(ctx, e, p, f)
		if err != nil {
			return nil, err
		}
		defer c.close()
		return use(c)
	})
}

// percentile returns the smallest value that is not less than this share, 0 to 1, of all values.
func percentile(v []time.Duration, p float64) time.Duration {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	return v[min(len(v)-1, int(p*float64(len(v))))]
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
