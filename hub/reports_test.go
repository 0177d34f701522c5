package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
)

// A silentHub answers nothing. A message ends when its time is over, before Transmit returns, as a carrier may do it.
type silentHub struct {
	carrier.Carrier
	signals carrier.SignalSink
}

func (s *silentHub) Serve(ctx context.Context, h carrier.Handler) error {
	h.ClientConnected(carrier.Client{ID: 1, Codec: carrier.JSON, Hello: true, Window: 16, Signals: s.signals})
	<-ctx.Done()
	h.ClientDisconnected(1, carrier.ErrShutdown)
	return nil
}

func (s *silentHub) Transmit(ctx context.Context, _ carrier.ClientID, _ *carrier.Message, done func(carrier.Reply, error)) error {
	<-ctx.Done()
	done(carrier.Reply{}, context.Cause(ctx))
	return nil
}

// TestNoAnswerInTime: an event that the hub does not answer fails with the same words, as a message and in a stream.
func TestNoAnswerInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := &stuckSink{total: new(atomic.Int64)}
		for _, hub := range []*silentHub{{}, {signals: stream}} {
			r := NewClientRouter(ClientOptions{})
			ctx, stop := context.WithCancel(t.Context())
			served := make(chan error)
			go func() { served <- r.Serve(ctx, hub) }()
			if err := r.WaitConnected(ctx); err != nil {
				t.Fatal(err)
			}
			s, err := newSender("s", SenderOptions{Events: []string{"x"}})
			if err != nil {
				t.Fatal(err)
			}
			s.clientRouter = r
			for range 50 {
				short, cancel := context.WithTimeout(ctx, time.Second)
				err := s.signals["x"].Trigger(short, 1)
				cancel()
				if want := "hub: no answer to signal in time: context deadline exceeded"; err == nil || err.Error() != want {
					t.Errorf("the error is %v, want %s", err, want)
				}
			}
			stop()
			if err := <-served; err != nil {
				t.Error(err)
			}
		}
	})
}

// TestRemovedWhileAwaited: whoever waits until the hub accepts a sender hears that it was removed.
func TestRemovedWhileAwaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewClientRouter(ClientOptions{})
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error)
		go func() { served <- r.Serve(ctx, &silentHub{}) }()
		synctest.Wait() // it is connected, and without a sender
		s, err := newSender("s", SenderOptions{Producer: "p"})
		if err != nil {
			t.Fatal(err)
		}
		s.clientRouter, r.senders[s.name] = r, s
		produced := make(chan error, 1)
		go func() {
			_, err := s.Produce(ctx)
			produced <- err
		}()
		synctest.Wait()
		s.Remove()
		synctest.Wait()
		select {
		case err := <-produced:
			if !errors.Is(err, ErrNotConnected) {
				t.Error(err)
			}
		default:
			t.Error("it waits on")
		}
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// TestReportsKeepToTheWindow: no more events are put than the hub takes; each of these ends once, in the order in which they
// were put; and what cannot be put any more ends with an error alone.
func TestReportsKeepToTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &writtenSink{stuckSink: stuckSink{window: 2, total: new(atomic.Int64)}}
		rs := &reports{sink: sink, codec: carrier.JSON}
		s, err := newSender("s", SenderOptions{Events: []string{"x"}})
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var ends []string
		note := func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			ends = append(ends, fmt.Sprintf(format, args...))
		}
		data := ""
		put := func(ctx context.Context, n int) {
			err := rs.put(ctx, s.signals["x"], &report{data: data, now: true}, func(err error) { note("%d: %v", n, err) })
			if err != nil {
				note("%d is not put: %v", n, err)
			}
		}
		check := func(after string, puts int, want ...string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			slices.Sort(ends) // whoever waits for room may be quicker than those that are told
			if n := len(sink.take()); n != puts || !slices.Equal(ends, want) {
				t.Errorf("%s: %d are put, and the ends are %q, want %d and %q", after, n, ends, puts, want)
			}
			ends = nil
		}
		for i := range 3 {
			go put(t.Context(), i)
			synctest.Wait()
		}
		check("a full window", 2)
		rs.answered(1, &carrier.Reply{Status: carrier.StatusFailed, Exception: "no"})
		check("an answer", 1, "0: no")
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		put(short, 3)
		check("no answer in time", 0, "3 is not put: context deadline exceeded")
		rs.answered(1, nil)
		check("another answer", 0, "1: <nil>")
		data = strings.Repeat("x", 2*scarcePending)
		put(t.Context(), 7)
		check("an event that is too large", 0, "7 is not put: carrier: message too large")
		data = ""
		put(t.Context(), 4)
		go put(t.Context(), 5)
		check("a full window again", 1)
		rs.fail(carrier.ErrGone)
		check("the loss of the connection", 0, "2: carrier: client gone", "4: carrier: client gone", "5 is not put: carrier: client gone")
		put(t.Context(), 6)
		rs.answered(1, nil)
		check("after that", 0, "6 is not put: carrier: client gone")
	})
}

// TestDoneRing: functions leave the ring in the order in which they came, wherever its beginning was when it grew.
func TestDoneRing(t *testing.T) {
	var r doneRing
	in, out := 0, 0
	for _, step := range []int{64, -10, 5, 100, -159, 3, -2, 500, -1000} {
		for range step {
			n := in
			r.push(func(error) {
				if n != out {
					t.Fatalf("%d comes out, want %d", n, out)
				}
				out++
			})
			in++
		}
		for _, f := range r.take(max(0, -step)) {
			f(nil)
		}
	}
	if out != in || r.n != 0 {
		t.Errorf("%d went in, %d came out, and %d are left", in, out, r.n)
	}
}

// A restingSink is writing, or rests after that: see carrier.Collector.
type restingSink struct {
	stuckSink
	writing            bool
	submitted, flushed int

	ask   func() // called when it is asked whether it fetches
	flush func() // called when what was submitted is to be written
}

func (s *restingSink) Collect(func() bool) {}
func (s *restingSink) Submit()             { s.submitted++ }

func (s *restingSink) Fetches(later bool) bool {
	if s.ask != nil {
		s.ask()
	}
	return s.writing || later
}

func (s *restingSink) Flush(bool) {
	s.flushed++
	if s.flush != nil {
		s.flush()
	}
}

// TestReportsBesideARest: events wait for a sink that rests only where many are without an answer, and none of them when somebody waits for
// room. One that must be written at once is not left, even if the sink is writing.
func TestReportsBesideARest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = carrier.ManySignals
		sink := &restingSink{stuckSink: stuckSink{window: many + 10, total: new(atomic.Int64)}}
		rs := &reports{codec: carrier.JSON}
		rs.begin(sink)
		s, err := newSender("s", SenderOptions{Events: []string{"x"}})
		if err != nil {
			t.Fatal(err)
		}
		put := func(events int, now bool) {
			for range events {
				if err := rs.put(t.Context(), s.signals["x"], &report{now: now}, func(error) {}); err != nil {
					t.Error(err)
				}
			}
		}
		check := func(after string, times int) {
			t.Helper()
			synctest.Wait()
			if sink.submitted != times || sink.flushed != times {
				t.Errorf("%s: submitted %d times and written %d times, want %d", after, sink.submitted, sink.flushed, times)
			}
			sink.submitted, sink.flushed = 0, 0
		}
		put(many, false)
		check("few", many)
		put(9, false)
		check("many", 0)
		put(1, true)
		check("one to be written at once", 1)
		sink.writing = true
		rs.answered(2, nil)
		put(1, true)
		check("another, during a write", 1)
		rs.answered(many+8, nil)
		put(many+9, false)
		check("others, during a write", 0)
		sink.flush = func() { rs.answered(many+10, nil) } // quicker than whoever waits
		put(1, false)
		check("somebody waits", 1)
		if !rs.left.Load() {
			t.Error("the last one is not left")
		}
		rs.submit()
		sink.ask = func() {
			if !rs.left.Load() {
				t.Error("the sink, which may have written just now, does not see what is left")
			}
		}
		put(1, false)
	})
}
