package carriertest

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMedium: the medium works, on a good line and on one that loses and doubles.
func TestMedium(t *testing.T) {
	Run(t, func(testing.TB) *Pair { return (&medium{timeout: time.Second}).pair() })
}

func TestLossyMedium(t *testing.T) {
	RunLossy(t, func(testing.TB) *Pair { return (&medium{lossy: true}).pair() })
}

// bugs are what a carrier may do wrong, with the cases that must notice.
var bugs = []struct {
	bug   string
	cases string
}{
	{"a second reply is sent", "AnsweredOnce"},
	{"malformed messages are not answered", "Malformed"},
	{"replies that cannot be packed are dropped", "NotPackable"},
	{"replies that are too large are dropped", "TooLarge"},
	{"replies lose their exception", "ErrorReplies"},
	{"too large messages are sent", "TooLarge"},
	{"refused messages end as well", "TooLarge NotPackable"},
	{"messages overtake each other", "Order Concurrent"},
	{"handler calls overlap", "Order Concurrent"},
	{"late replies go to the next connection", "RespondAfterGone"},
	{"done called twice", "Echo GoneClient"},
	{"messages of a client that goes never end", "GoneClient"},
	{"transmits though the context is done", "CancelledBefore"},
	{"context not looked at later", "CancelledWaiting"},
	{"place freed with the context", "CancelledKeepsPlace"},
	{"Window 1<<20", "Window"},
	{"window off by one", "Window"},
	{"TryTransmit waits", "Window"},
	{"what TryTransmit takes is lost", "TryTransmit"},
	{"TryTransmit says nothing of clients that have gone", "TryTransmit"},
	{"UID the same for all", "Client Neighbours"},
	{"Name dropped", "Client"},
	{"Hello false", "Client"},
	{"registry locked in ClientConnected", "TransmitInHandler"},
	{"unknown clients are gone", "UnknownClient"},
	{"gone clients never were", "GoneClient"},
	{"disconnected twice", "GoneClient Reconnect"},
	{"does not connect again", "Reconnect"},
	{"Disconnect forgets the cause", "Disconnect"},
	{"closed told as unplugged", "StopHubFirst StopPeerFirst"},
	{"shutdown told as closed", "StopHubFirst"},
	{"AllClientsDisconnected is never called", "StopHubFirst"},
	{"time-out told as shutdown", "Silence"},
	{"never pings", "Idle"},
	{"no backoff", "Backoff"},
	{"Serve returns nil when the medium fails", "Broken"},
	{"no bounds", "Flood"},
	{"never sends again", "lossy Echo"},
	{"what comes twice is taken twice", "lossy Order"},

	{"streams for handlers that take none", "SignalsWanted"},
	{"signals overtake each other", "SignalOrder"},
	{"a signal is dropped", "SignalOrder"},
	{"a signal comes twice", "SignalOrder"},
	{"times are dropped", "SignalOrder"},
	{"uncertainties are dropped", "SignalOrder"},
	{"numbers are dropped", "SignalOrder"},
	{"listeners are forgotten", "SignalOrder"},
	{"refusals are dropped", "SignalOrder SignalRefused"},
	{"a refused signal counts as done", "SignalOrder SignalRefused"},
	{"a refusal loses its reason", "SignalOrder"},
	{"an answer is told twice", "SignalOrder"},
	{"answers overtake each other", "SignalOrder SignalRefused"},
	{"an answer to none is sent", "SignalRefused"},
	{"refusals that are too large are sent", "SignalRefused"},
	{"a route number is used again too early", "SignalOrder"},
	{"a route's Handle is lost", "SignalRoutes"},
	{"a route told in vain stays known", "SignalTooLarge"},
	{"signal window off by one", "SignalWindow"},
	{"borrowed bytes are kept", "SignalNotKept"},
	{"pending never falls", "SignalFlush"},
	{"the account is never settled", "SignalFlush"},
	{"Flush waits for answers", "SignalFlush"},
	{"Put for a client that has gone is taken", "SignalsCut"},
	{"late answers go to the next connection", "SignalsCut"},
	{"wrong answers are believed", "SignalsMisanswered"},
}

// TestBugs: each bug is noticed by each of the cases that must notice it, which notice nothing without it. Whoever adds a
// rule to the contract adds the bug that breaks it.
func TestBugs(t *testing.T) {
	all := slices.Concat(messageCases, clientCases, failureCases, signalCases)
	for _, c := range all {
		if reports := fails(t, c, &medium{timeout: 6 * timeoutOf(c)}); len(reports) > 0 { // in which a busy machine does what it shall
			t.Errorf("without a bug, %s reports %q", c.name, reports)
		}
	}
	for _, b := range bugs {
		t.Run(b.bug, func(t *testing.T) {
			t.Parallel() // much of it is waiting in vain
			names, lossy := strings.CutPrefix(b.cases, "lossy ")
			for name := range strings.FieldsSeq(names) {
				i := slices.IndexFunc(all, func(c testCase) bool { return c.name == name })
				if reports := fails(t, all[i], &medium{bug: b.bug, lossy: lossy, timeout: timeoutOf(all[i])}); len(reports) == 0 {
					t.Errorf("%s does not notice", name)
				} else {
					t.Logf("%s: %.150s", name, reports[0])
				}
			}
		})
	}
}

// timeoutOf returns how long clients may be silent in a case: only where silence matters, so that no other depends on
// how busy the machine is.
func timeoutOf(c testCase) time.Duration {
	if c.name == "Idle" || c.name == "Silence" {
		return 300 * time.Millisecond
	}
	return 0
}

// fails runs a case over a medium, and returns what it reports.
func fails(t *testing.T, c testCase, m *medium) []string {
	r := &recordingT{TB: t}
	limit := caseLimit // without a bug, nothing is waited for in vain
	if m.bug != "" {
		limit = time.Second
	}
	done := make(chan struct{})
	go func() { // Fatal ends it
		defer close(done)
		defer r.cleanUp()
		c.run(newSession(r, func(testing.TB) *Pair { return m.pair() }, limit))
	}()
	select {
	case <-done:
	case <-time.After(2 * caseLimit):
		t.Errorf("%s hangs", c.name)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.reports)
}

// A recordingT remembers what is reported to it.
type recordingT struct {
	testing.TB
	mu       sync.Mutex
	reports  []string
	cleanups []func()
}

func (r *recordingT) Helper()             {}
func (r *recordingT) Log(...any)          {}
func (r *recordingT) Logf(string, ...any) {}

func (r *recordingT) Error(args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reports = append(r.reports, fmt.Sprint(args...))
}

func (r *recordingT) Errorf(format string, args ...any) { r.Error(fmt.Sprintf(format, args...)) }

func (r *recordingT) Fatal(args ...any) {
	r.Error(args...)
	runtime.Goexit()
}

func (r *recordingT) Fatalf(format string, args ...any) { r.Fatal(fmt.Sprintf(format, args...)) }

func (r *recordingT) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

func (r *recordingT) cleanUp() {
	for {
		r.mu.Lock()
		n := len(r.cleanups)
		if n == 0 {
			r.mu.Unlock()
			return
		}
		f := r.cleanups[n-1]
		r.cleanups = r.cleanups[:n-1]
		r.mu.Unlock()
		f()
	}
}
