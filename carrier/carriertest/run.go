package carriertest

import (
	"context"
	"os"
	"runtime"
	"slices"
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

	Medium

	// MaxData is the length of the longest text of ASCII letters that can be the whole params of a message whose method
	// has four letters, and its whole response, in both directions. It is at least 64.
	MaxData int

	// Cut breaks the connection between Hub and Peer at once, as pulling the cable does. The peer may come
	// back by itself, but not later than after Restore.
	Cut func()
	// Restore mends what Cut and Half broke; it is harmless when nothing is broken. Nil if the peer needs
	// nothing of the kind.
	Restore func()

	// Dial returns one more peer of Hub, to be served by the suite. Nil if a hub of this medium has one peer.
	Dial func() carrier.Carrier

	// Half lets one more peer send the first half of a message to Hub and vanish. On a medium with only one peer, that
	// peer sends it, and then the line is cut. Nil if the medium carries whole messages only.
	Half func()
	// Garbage sends Hub bytes that are not a message, from one more peer or on the only line. Nil if the medium carries
	// whole messages only.
	Garbage func()

	// Malformed sends Hub, from one more peer, a message of which only the id can be read, and returns the
	// status in the reply. Nil if nothing malformed can come.
	Malformed func() carrier.Status

	// Silence makes the line lose everything from now on, in both directions, without closing anything. Once they have
	// something to send, both ends must disconnect with [carrier.ErrTimeout]. Nil if the medium cannot fall silent.
	Silence func()
	// Break makes Hub's medium fail for good, as when a listening socket is lost. Nil if it cannot.
	Break func()
	// Tries returns how often Peer has tried to connect so far. Nil if that is not known.
	Tries func() int
	// Flood sends Hub, from one more peer or on the only line, one message of this many bytes, and then as
	// many bytes of small messages whose replies are not read. It returns when the hub does not take any more, or has
	// taken everything. Nil if packets of such a size cannot come, as where frames have a largest size.
	Flood func(bytes int)
}

// A Medium says what its carriers know about a client, and what they do not do. The zero Medium does everything.
type Medium struct {
	// Name and UID are those of Peer, as Hub is to know it. Empty: Hub is to know none.
	Name, UID string
	// Timeout is how long a client may be silent before it is disconnected, so that both ends have to send something
	// now and then. Zero: clients may be silent for ever.
	Timeout time.Duration
	// Legacy: clients say no hello, so Client.Hello is false.
	Legacy bool
	// PackedIDs: a message's id is inside its packet. If a packet cannot be unpacked, its id is unknown, and the reply to
	// it cannot name its message.
	PackedIDs bool
	// NoGoodbye: the other end cannot tell an end that stops from one that is cut off.
	NoGoodbye bool
	// NoSignalsToHub and NoSignalsToPeer: signals of that direction travel as messages only.
	NoSignalsToHub, NoSignalsToPeer bool
}

const (
	caseLimit     = 60 * time.Second  // then whatever a case waits for has failed
	watchdogLimit = 100 * time.Second // then a carrier hangs, and nothing but a panic ends the case
)

// Run runs the suite; connect makes a new pair for each case, and releases what the pair needs by t.Cleanup.
// The cases run one after the other: the check for goroutines left behind allows no others.
func Run(t *testing.T, connect func(t testing.TB) *Pair) {
	for _, c := range slices.Concat(messageCases, clientCases, failureCases, signalCases) {
		run(t, c, connect, false)
	}
}

// RunLossy runs the cases that hold on a line which loses and doubles what it carries, for carriers that send again what
// was lost. Neither end may notice what happens on the line.
func RunLossy(t *testing.T, connect func(t testing.TB) *Pair) {
	for _, c := range lossyCases {
		run(t, c, connect, true)
	}
}

func run(t *testing.T, c testCase, connect func(t testing.TB) *Pair, lossy bool) {
	t.Run(c.name, func(t *testing.T) {
		watch(t)
		before := goleak.IgnoreCurrent()
		t.Cleanup(func() { // registered first, so that it runs when everything else is released
			if err := goleak.Find(before); err != nil {
				t.Errorf("goroutines are left: %v", err)
			}
		})
		s := newSession(t, connect, caseLimit)
		s.lossy = lossy
		c.run(s)
	})
}

// A testCase is one rule of the contract, or a few that belong together.
type testCase struct {
	name string
	run  func(*session)
}

// messageCases: what is transmitted arrives, and is answered.
var messageCases = []testCase{
	{"Echo", echo},
	{"Values", values},
	{"Largest", largest},
	{"TooLarge", tooLarge},
	{"NotPackable", notPackable},
	{"Malformed", malformed},
	{"NotKept", notKept},
	{"ErrorReplies", errorReplies},
	{"Order", order},
	{"Concurrent", concurrent},
	{"Deferred", deferred},
	{"AnsweredOnce", answeredOnce},
	{"RespondAfterGone", respondAfterGone},
	{"CancelledBefore", cancelledBefore},
	{"CancelledWaiting", cancelledWaiting},
	{"CancelledKeepsPlace", cancelledKeepsPlace},
	{"Window", window},
	{"TryTransmit", tryTransmit},
	{"StalledPeer", stalledPeer},
	{"Neighbours", neighbours},
}

// clientCases: clients come and go.
var clientCases = []testCase{
	{"Client", client},
	{"TransmitInHandler", transmitInHandler},
	{"NotServed", notServed},
	{"UnknownClient", unknownClient},
	{"GoneClient", goneClient},
	{"Reconnect", reconnect},
	{"Disconnect", disconnect},
	{"StopHubFirst", func(s *session) { shutdown(s, s.hub, s.peer) }},
	{"StopPeerFirst", func(s *session) { shutdown(s, s.peer, s.hub) }},
	{"StopInHandler", stopInHandler},
	{"Cycles", cycles},
}

// failureCases: the medium fails, or what comes from it is not what it should be.
var failureCases = []testCase{
	{"HalfMessage", halfMessage},
	{"Garbage", garbage},
	{"Flood", flood},
	{"Idle", idle},
	{"Silence", silence},
	{"Backoff", backoff},
	{"Broken", broken},
}

// signalCases: signals travel as streams, where the medium offers that.
var signalCases = []testCase{
	{"SignalsWanted", signalsWanted},
	{"SignalOrder", signalOrder},
	{"SignalRoutes", signalRoutes},
	{"SignalRefused", signalRefused},
	{"SignalWindow", signalWindow},
	{"SignalNotKept", signalNotKept},
	{"SignalTooLarge", signalTooLarge},
	{"SignalFlush", signalFlush},
	{"SignalsAmongMessages", signalsAmongMessages},
	{"SignalsCut", signalsCut},
	{"SignalsMisanswered", signalsMisanswered},
}

// lossyCases are those that a line which loses and doubles must not change.
var lossyCases = []testCase{
	{"Echo", echo},
	{"Largest", largest},
	{"ErrorReplies", errorReplies},
	{"Order", order},
	{"Concurrent", concurrent},
	{"Deferred", deferred},
	{"CancelledWaiting", cancelledWaiting},
	{"Window", window},
	{"Reconnect", reconnect},
	{"StopHubFirst", func(s *session) { shutdown(s, s.hub, s.peer) }},
	{"StopPeerFirst", func(s *session) { shutdown(s, s.peer, s.hub) }},
	{"SignalOrder", signalOrder},
	{"SignalRefused", signalRefused},
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

// newSession makes a pair that is not served yet. Whatever a case waits for is to happen within limit.
func newSession(t testing.TB, connect func(testing.TB) *Pair, limit time.Duration) *session {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	s := &session{TB: t, ctx: ctx, limit: limit, connect: connect, pair: connect(t)}
	s.hub = s.newEnd("hub", s.pair.Hub)
	s.peer = s.newEnd("peer", s.pair.Peer)
	return s
}
