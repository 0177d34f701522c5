package lean

import (
	"context"
	"os"
	"runtime/debug"
	"time"
)

// What the hub needs beside what it holds for its clients, in bytes: itself, and for each connection.
const (
	ownMemory        = 20 << 20
	connectionMemory = 12 << 10
)

// From manyConnections on, garbage is collected when it is crowdPercent of what is in use: most of that is what the connections
// themselves need, which the limit does not bound, and most of them do little.
const (
	manyConnections = 1000
	crowdPercent    = 40
)

// While garbage is collected often, there may be as much as busyGarbage bytes of it, or busyPercent of what is in use if that is less:
// where little is in use, it would be collected dozens of times a second, which can take half of the processor. That ends when there
// were fewer than fewCollections within lookAtCollections.
const (
	busyGarbage       = 16 << 20
	busyPercent       = 400
	lookAtCollections = 5 * time.Second
	fewCollections    = 5
)

// What is given back would stay for long on an idle hub, which has no reason to collect garbage.
const (
	// begun is when what the start took, to read the configuration and the journal, is given back.
	begun = 200 * time.Millisecond
	// manyNew is how many connections have to come or go so that what this took is given back: a handshake of TLS takes more than
	// the connection does afterwards. settled is how long no more do so before.
	manyNew = 100
	settled = 3 * lookAtConnections
)

// lookAtConnections is how often connections are counted, at most.
const lookAtConnections = time.Second

// Limit has garbage collected before memory grows beyond what a hub may need, until ctx is done. Without it, memory grows to twice of
// what is in use. The hub holds at most so many bytes for its clients. Limit counts connections when it is told that there are more or
// fewer. It gives memory back after the start, when many have come or gone, and when garbage is not collected often any more. The
// environment variables GOMEMLIMIT and GOGC take precedence.
func Limit(ctx context.Context, budget int64, connections func() int, changed <-chan struct{}) {
	limit(ctx, budget, connections, changed, watchCollections(ctx), GiveBack)
}

// garbage is what limit asks about collections of it: see watched.
type garbage interface {
	often() <-chan struct{}
	count() uint64
	live(percent int) uint64
}

func limit(
	ctx context.Context, budget int64, connections func() int, changed <-chan struct{}, collections garbage, giveBack func(),
) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	usual := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(usual)
	percent := debug.SetGCPercent(100)
	debug.SetGCPercent(percent)
	defer debug.SetGCPercent(percent)
	var now, counted int64
	collected, due := percent, time.After(begun)
	var calm <-chan time.Time // nil while garbage is not collected often
	var before uint64
	for {
		n := int64(connections())
		if n <= counted-manyNew || n >= counted+manyNew {
			counted, due = n, time.After(settled)
		}
		// To set these stops everything for a moment.
		if most := ownMemory + budget + n*connectionMemory; most != now {
			debug.SetMemoryLimit(most)
			now = most
		}
		if want := garbagePercent(percent, collected, n, calm != nil, collections); want != collected && os.Getenv("GOGC") == "" {
			debug.SetGCPercent(want)
			collected = want
		}
		select {
		case <-ctx.Done():
			return
		case <-due:
			due = nil
			giveBack()
			continue
		case <-collections.often():
			before, calm = collections.count(), time.After(lookAtCollections)
			continue
		case <-calm:
			last := before
			if before, calm = collections.count(), time.After(lookAtCollections); before-last >= fewCollections {
				continue
			}
			calm = nil
			if raised := collected > garbagePercent(percent, collected, n, false, collections); raised && due == nil {
				due = time.After(0)
			}
			continue
		case <-changed:
		}
		select { // many come at a time
		case <-ctx.Done():
			return
		case <-time.After(lookAtConnections):
		}
	}
}

// garbagePercent returns how much garbage there may be, in percent of what is in use; now is how much there may be so far.
func garbagePercent(usual, now int, connections int64, busy bool, collections garbage) int {
	percent := usual
	if connections >= manyConnections {
		percent = crowdPercent
	}
	if busy {
		percent = max(percent, int(min(busyPercent, 100*busyGarbage/max(1, collections.live(now)))))
	}
	return percent
}
