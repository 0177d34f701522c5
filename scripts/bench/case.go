package main

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"time"
)

// A benchCase measures one thing, with the peers that support it.
type benchCase struct {
	name  string
	about string
	peers []string
	// run starts the peer, measures it once, and stops it.
	run func(ctx context.Context, e *env, p peer) ([]figure, error)
}

// A figure is one result of a case.
type figure struct {
	Name  string  `json:"name"` // with its unit
	Value float64 `json:"value"`
}

// An env has what a case may use.
type env struct {
	peer string // the name of the one that is measured
	bin  string // folder of the programs
	tmp  string // folder for this run of the case
	disk string // another one, on a disk
	warm time.Duration
	span time.Duration // how long to measure

	senders int // number of senders, for peers that must know it at the start

	profile string // file for a profile of the hub while it is measured; empty: none
}

func (e *env) profileSocket() string { return filepath.Join(e.tmp, "pprof.sock") }

// brokers are the peers for cases that only need messages.
func brokers() []string { return []string{peerHub, peerMosquitto, peerNATS, peerMochi, peerRelay} }

// allCases lists the cases in the order in which they run.
func allCases() []benchCase {
	dialects := []string{peerHub, peerHubJSON, peerHubTLS, peerMosquitto, peerNATS, peerNATSTLS, peerMochi, peerRelay}
	withTLS := append(brokers(), peerHubTLS, peerNATSTLS)
	bare := []string{peerHubBare}
	keepers := []string{peerJournal, peerMosquittoDisk, peerJetStream, peerJetStreamSync}
	withKeepers := slices.Concat(dialects, keepers)
	return []benchCase{
		{"one-to-one", "1 sender, 1 listener, as fast as it goes", peerNames(), fan{1, 1, 0}.run},
		{"one-to-10", "1 sender, 10 listeners", slices.Concat(withKeepers, bare), fan{1, 10, 0}.run},
		{"100-to-10", "100 senders, 10 listeners that hear everything", brokers(), fan{100, 10, 10_000}.run},
		{"one-to-1000", "1 sender, 1,000 listeners", brokers(), fan{1, 1000, 64}.run},
		{"request-1", "round trips, one at a time", slices.Concat(withTLS, bare), requests{1}.run},
		{"request-64", "round trips, 64 at a time over one connection", slices.Concat(withTLS, bare), requests{64}.run},
		{"latency", "1 sender, 1 listener, 1,000 events/s", slices.Concat(withKeepers, bare), latency},
		{"ack-one", "1 event at a time: until it is acknowledged", slices.Concat([]string{peerHub}, keepers), ackOne},
		{"devices", "200 devices on 200 PTYs, 20 readings/s each, to 1 listener", []string{peerHub}, devices},
		{"slow-listener", "1 of 101 listeners stops reading for good", []string{peerHub}, slowListener},
		{"replay", "what a hub has kept, to 1 listener", []string{peerJournal}, replay},
		{"idle", "10,000 listeners that hear nothing", withTLS, idle},
		{"startup", "from the start of the program to the first connection, and its memory", append(brokers(), peerJournal), startup},
		{"in-process", "hub.Router alone, local listeners", []string{peerHub}, inProcess},
	}
}

// withPeer calls use while the peer runs, and returns its figures. When ctx is done it kills the peer, which ends everything that waits
// for it.
func withPeer(ctx context.Context, e *env, p peer, use func() ([]figure, error)) ([]figure, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	command, err := p.command(e, addr)
	if err != nil {
		return nil, err
	}
	running := p.running()
	if err := running.start(ctx, e, addr.String(), command[0], command[1:]...); err != nil {
		return nil, err
	}
	defer running.end()
	p.at(addr.String(), e.tmp)
	defer context.AfterFunc(ctx, running.kill)()
	figures, err := use()
	if ctx.Err() != nil {
		return nil, errors.Join(context.Cause(ctx), err)
	}
	return figures, err
}

// withCrowd calls use with a crowd of the peer's clients while the peer runs.
func withCrowd(ctx context.Context, e *env, p peer, f fan, use func(*crowd) ([]figure, error)) ([]figure, error) {
	e.senders = f.senders
	return withPeer(ctx, e, p, func() ([]figure, error) {
		c, err := newCrowdApart(ctx, e, p, f)
		if err != nil {
			return nil, err
		}
		defer c.close()
		return use(c)
	})
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
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
