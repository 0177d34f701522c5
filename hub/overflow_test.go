package hub

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"sighub/carrier"
)

// A fetchingSink says when it has written: see carrier.Collector.
type fetchingSink struct {
	stuckSink
	submit func() bool
	quick  bool // what is put is written before anybody asks how much waits
	put    int

	noted   *atomic.Bool // whoever asks has noted that the sink is full
	unnoted bool         // somebody asked a full sink without that
}

func (s *fetchingSink) Collect(submit func() bool) { s.submit = submit }
func (s *fetchingSink) Fetches(bool) bool          { return false }

func (s *fetchingSink) Put(r *carrier.OutRoute, p *carrier.PackedSignal) (int, error) {
	s.put++
	return s.stuckSink.Put(r, p)
}

func (s *fetchingSink) Pending() int {
	if s.quick {
		s.write()
	}
	n := s.stuckSink.Pending()
	s.unnoted = s.unnoted || n >= carrier.PendingLimit && !s.noted.Load()
	return n
}

// Large events, of which a few are as many bytes as may wait to be written.
var (
	large    = strings.Repeat("x", carrier.PendingLimit/10)
	largeFit = 10 // that may wait
)

// TestWrittenMakesRoom: what waits for a client because much was to be written is put as soon as that is written, although the client has
// answered nothing, and nothing waits for what was written before anybody could note that it waits.
func TestWrittenMakesRoom(t *testing.T) {
	for _, quick := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newMessageWorld(t, ServerOptions{})
			defer w.end()
			sink := &fetchingSink{quick: quick}
			defer sink.write()
			s := w.listening(sink)
			sink.noted = &w.handler.client(1).outbox.feed.full
			events := 3*largeFit - 1
			for range events {
				if err := s.signals["x"].Trigger(t.Context(), large); err != nil {
					t.Fatal(err)
				}
			}
			if quick {
				if sink.put != events {
					t.Errorf("%d are put of %d, each of which is written", sink.put, events)
				}
				return
			}
			for i, more := range []bool{true, true, false} {
				if want := min((i+1)*largeFit, events); sink.put != want {
					t.Errorf("%d are put, want %d", sink.put, want)
				}
				sink.write()
				if got := sink.submit(); got != more || !more && sink.submit() {
					t.Errorf("after write %d, more is put: %t, want %t", i+1, got, more)
				}
			}
			if sink.unnoted {
				t.Error("the sink is asked before it is noted that it is full")
			}
			if o := &w.handler.client(1).outbox; o.queue.len() > 0 || o.flow.InFlight() != events {
				t.Errorf("%d wait, and %d of %d are in flight", o.queue.len(), o.flow.InFlight(), events)
			}
		})
	}
}

// TestWrittenMakesRoomForReports: a sender that has to wait because much is to be written goes on as soon as that is written, although the
// hub has answered nothing.
func TestWrittenMakesRoomForReports(t *testing.T) {
	for _, quick := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			sink := &fetchingSink{quick: quick, stuckSink: stuckSink{total: new(atomic.Int64)}}
			rs := &reports{codec: carrier.JSON}
			rs.begin(sink)
			sink.noted = &rs.full
			s, err := newSender("s", SenderOptions{Events: []string{"x"}})
			if err != nil {
				t.Fatal(err)
			}
			events := 3*largeFit - 1
			go func() {
				for range events {
					if err := rs.put(t.Context(), s.signals["x"], &report{data: large}, func(error) {}); err != nil {
						return // the test has ended
					}
				}
			}()
			for i := range 3 {
				synctest.Wait()
				if want := min((i+1)*largeFit, events); !quick && sink.put != want {
					t.Errorf("%d are put, want %d", sink.put, want)
				}
				sink.write()
				if sink.submit() {
					t.Error("there was something to be submitted")
				}
			}
			if synctest.Wait(); sink.put != events || sink.unnoted {
				t.Errorf("%d are put of %d; asked before it is noted that the sink is full: %t", sink.put, events, sink.unnoted)
			}
		})
	}
}
