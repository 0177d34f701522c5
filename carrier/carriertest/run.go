package carriertest

import (
	"context"
	"os"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sighub/carrier"
)

// A Pair is two carriers whose media are connected. Neither is served yet.
type Pair struct {
	// Hub is the accepting end.
	Hub carrier.Carrier
	// Peer is the connecting end. It connects as soon as both are served.
	Peer carrier.Carrier

	// MaxData is how many bytes of ASCII letters a text may have at most that stands alone as the params of
	// a message with a method of four letters, and as its response, in both directions. At least 64.
	MaxData int

	// Cut breaks the connection between Hub and Peer at once, as pulling the cable does. The peer may come
	// back by itself, but not later than after Restore.
	Cut func()
	// Restore mends what Cut and Half broke; it is harmless when nothing is broken. Nil if the peer needs
	// nothing of the kind.
	Restore func()

	// Dial returns one more peer of Hub, to be served by the suite. Nil if a hub of this medium has one peer.
	Dial func() carrier.Carrier

	// Half lets one more peer send the first half of a message to Hub and vanish; on a medium that has but
	// one peer, half a message comes from there, and then the line is cut. Nil if the medium carries whole
	// messages only.
	Half func()
	// Garbage sends bytes that are no message to Hub, from one more peer or on the one line that there is.
	// Nil if the medium carries whole messages only.
	Garbage func()
}

const (
	caseLimit     = 25 * time.Second // then whatever a case waits for has failed
	watchdogLimit = 30 * time.Second // then a carrier hangs, and nothing but a panic ends the case
)

// Run runs the suite; connect makes a new pair for each case, and releases what the pair needs by t.Cleanup.
// The cases run one after the other: the check for goroutines left behind allows no others.
func Run(t *testing.T, connect func(t testing.TB) *Pair) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			watch(t)
			before := goleak.IgnoreCurrent()
			t.Cleanup(func() { // registered first, so that it runs when everything else is released
				if err := goleak.Find(before); err != nil {
					t.Errorf("goroutines are left: %v", err)
				}
			})
			c.run(newSession(t, connect))
		})
	}
}

var cases = []struct {
	name string
	run  func(*session)
}{
	{"Echo", echo},
	{"Values", values},
	{"Largest", largest},
	{"TooLarge", tooLarge},
	{"NotKept", notKept},
	{"ErrorReplies", errorReplies},
	{"Order", order},
	{"Concurrent", concurrent},
	{"Deferred", deferred},
	{"RespondAfterGone", respondAfterGone},
	{"CancelledBefore", cancelledBefore},
	{"CancelledWaiting", cancelledWaiting},
	{"StalledPeer", stalledPeer},
	{"Neighbours", neighbours},
	{"NotServed", notServed},
	{"UnknownClient", unknownClient},
	{"GoneClient", goneClient},
	{"Reconnect", reconnect},
	{"Disconnect", disconnect},
	{"HalfMessage", halfMessage},
	{"Garbage", garbage},
	{"StopHubFirst", func(s *session) { shutdown(s, s.hub, s.peer) }},
	{"StopPeerFirst", func(s *session) { shutdown(s, s.peer, s.hub) }},
	{"StopInHandler", stopInHandler},
	{"Cycles", cycles},
}

// watch ends the test binary, with the stacks of all goroutines, if the case hangs.
func watch(t testing.TB) {
	dog := time.AfterFunc(watchdogLimit, func() {
		buf := make([]byte, 1<<20)
		_, _ = os.Stderr.Write(buf[:runtime.Stack(buf, true)])
		panic("carriertest: " + t.Name() + " hangs")
	})
	t.Cleanup(func() { dog.Stop() })
}

// newSession makes a pair that is not served yet.
func newSession(t testing.TB, connect func(testing.TB) *Pair) *session {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), caseLimit)
	t.Cleanup(cancel)
	s := &session{TB: t, ctx: ctx, connect: connect, pair: connect(t)}
	s.hub = s.newEnd("hub", s.pair.Hub)
	s.peer = s.newEnd("peer", s.pair.Peer)
	return s
}
