package carriertest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"sighub/carrier"
)

// signalOrder: signals arrive as they were put, in order, and in both directions at once; each is answered, in order,
// inline or later.
func signalOrder(s *session) {
	count := s.many(1000)
	for _, later := range []bool{false, true} {
		round := newSession(s.TB, s.connect, s.limit)
		round.each(func(st *stream) error {
			if later {
				st.receive(answerLater(round))
			}
			routes := []*carrier.OutRoute{st.route("a", "x"), st.route("bb", "x"), st.route("bb", "y")}
			for i := range count {
				if err := st.send(routes[i%3], numbered(i)); err != nil {
					return fmt.Errorf("%s: signal %d: %w", st.from.name, i, err)
				}
			}
			st.sink.Submit()
			st.sink.Flush(true)
			if err := st.allAnswered(); err != nil {
				return err
			}
			for i := range count {
				if err := st.isNumbered(i, &routes[i%3].Route); err != nil {
					return err
				}
			}
			return nil
		})
		round.peer.close()
		round.hub.close()
	}
}

// answerLater answers on a goroutine of its own, one batch after the other.
func answerLater(s *session) func(signals []carrier.Signal, answers carrier.Answers) {
	type batch struct {
		signals []carrier.Signal
		answers carrier.Answers
	}
	batches, ended := make(chan batch, 1<<12), make(chan struct{})
	go func() {
		defer close(ended)
		for b := range batches {
			answerAll(b.signals, b.answers)
		}
	}()
	s.Cleanup(func() { s.peer.close(); s.hub.close(); close(batches); <-ended })
	return func(signals []carrier.Signal, answers carrier.Answers) {
		batches <- batch{carrier.CloneSignals(nil, signals), answers}
	}
}

// numbered returns signal i: each has its own number, most a time, some an uncertainty, and a few are to be refused.
func numbered(i int) carrier.Signal {
	s := carrier.Signal{Seq: uint64(i + 1), Data: carrier.ValueOf(i)}
	if i%5 > 0 {
		s.Time = 1_700_000_000_000_000_000 + int64(i)
	}
	if i%5 > 2 {
		s.Uncertainty = int64(i)
	}
	if i%100 == 50 {
		s.Data = carrier.ValueOf("no")
	}
	return s
}

// isNumbered checks that signal i arrived as it was put, and was answered as it should be.
func (st *stream) isNumbered(i int, r *carrier.Route) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	want, got := numbered(i), &st.heard[i]
	if got.Time != want.Time || got.Uncertainty != want.Uncertainty || got.Seq != want.Seq || got.data != want.Data.String() ||
		got.route.Sender != r.Sender || got.route.Event != r.Event || got.route.Listener != r.Listener {
		return fmt.Errorf("%s: signal %d arrives as %+v of %+v", st.to.name, i, got.Signal, got.route)
	}
	reply, failed := st.failed[i]
	if refused := i%100 == 50; failed != refused || refused && (reply.Status != carrier.StatusFailed || reply.Exception != errRefused.Error()) {
		return fmt.Errorf("%s: signal %d is answered with %+v, failed: %v", st.from.name, i, reply, failed)
	}
	return nil
}

// signalRoutes: there may be more routes than a connection has numbers for, and each signal arrives on its own. The
// receiver's Handle stays with a route until its number is given to another.
func signalRoutes(s *session) {
	const count, rounds = carrier.MaxRoutes + 100, 2
	s.each(func(st *stream) error {
		routes := make([]*carrier.OutRoute, count)
		for i := range routes {
			routes[i] = st.route(fmt.Sprint("s", i), "e")
		}
		for range rounds {
			for i, r := range routes {
				for range 2 { // the second one finds the route known
					if err := st.send(r, carrier.Signal{Data: carrier.ValueOf(i)}); err != nil {
						return err
					}
				}
			}
		}
		st.sink.Submit()
		st.sink.Flush(true)
		if err := st.allAnswered(); err != nil {
			return err
		}
		st.mu.Lock()
		defer st.mu.Unlock()
		for i := range st.heard {
			got, want := &st.heard[i], &routes[i/2%count].Route
			if got.route.Sender != want.Sender || got.route.Listener != want.Listener || got.data != fmt.Sprint(i/2%count) {
				return fmt.Errorf("%s: signal %d arrives as %s of %+v", st.to.name, i, got.data, got.route)
			}
			if again := i%2 == 1; again != (got.route.Handle != nil) {
				return fmt.Errorf("%s: signal %d, of a route that was used before: %v, has the Handle %v", st.to.name, i, again, got.route.Handle)
			}
		}
		return nil
	})
}

// signalRefused: a signal that is refused fails, and those around it are done, in whichever way the handler says so.
// However much it says, only what the peer takes of it arrives.
func signalRefused(s *session) {
	s.each(func(st *stream) error {
		held := st.hold()
		r := st.route("s", "e")
		texts := []string{"0", "1", "2", "3", "4", "5", "6"}
		texts = texts[:min(len(texts), st.sink.Window())]
		if err := st.sendTexts(r, texts...); err != nil {
			return err
		}
		a, err := st.answers(held)
		if err != nil {
			return err
		}
		if err := st.until("the signals", func() bool { return len(st.heard) == len(texts) }); err != nil {
			return err
		}
		a.Done(0) // says nothing
		long := strings.Repeat("x", 2*s.pair.MaxData+64)
		replies := map[int]carrier.Reply{
			1: {Status: carrier.StatusLimit, Exception: "full"}, 2: {Status: -1000}, 5: {Status: carrier.StatusFailed, Exception: long},
		}
		for i := range texts {
			if reply, ok := replies[i]; ok {
				a.Fail(reply)
			} else {
				a.Done(1)
			}
		}
		if err := st.allAnswered(); err != nil {
			return err
		}
		st.mu.Lock()
		defer st.mu.Unlock()
		for i := range texts {
			want, refused := replies[i]
			got, failed := st.failed[i]
			if got.Exception != want.Exception && !strings.HasPrefix(long, got.Exception) || failed != refused || got.Status != want.Status {
				return fmt.Errorf("%s: signal %d is answered with %+v, failed: %v", st.from.name, i, got, failed)
			}
		}
		return nil
	})
}

// signalWindow: a client takes as many unanswered signals as its window says.
func signalWindow(s *session) {
	s.each(func(st *stream) error {
		held, n := st.hold(), st.sink.Window()
		if n < 1 {
			return fmt.Errorf("%s: a window of %d signals", st.from.name, n)
		}
		r := st.route("s", "e")
		for i := range n {
			if err := st.send(r, carrier.Signal{Data: carrier.ValueOf(i)}); err != nil {
				return fmt.Errorf("%s: signal %d of a window of %d: %w", st.from.name, i, n, err)
			}
			if st.sink.Pending() >= carrier.PendingLimit {
				st.sink.Submit()
				st.sink.Flush(true)
				if err := st.until("what was put to arrive", func() bool { return len(st.heard) == st.put }); err != nil {
					return err
				}
			}
		}
		st.sink.Submit()
		st.sink.Flush(true)
		a, err := st.answers(held)
		if err == nil {
			err = st.until("a whole window", func() bool { return len(st.heard) == n })
		}
		if err != nil {
			return err
		}
		a.Done(n)
		return st.allAnswered()
	})
}

// signalNotKept: what a signal is made of may be changed once Put has returned, and what the handler clones is its own.
func signalNotKept(s *session) {
	const count = 200
	s.each(func(st *stream) error {
		var kept []carrier.Signal // by the handler's one goroutine, until all are answered
		st.receive(func(signals []carrier.Signal, answers carrier.Answers) {
			st.mu.Lock()
			kept = carrier.CloneSignals(kept, signals)
			st.mu.Unlock()
			answers.Done(len(signals))
		})
		r := st.route("s", "e")
		var raw []byte // used for all of them
		var err error
		for i := range count {
			if raw, err = st.client.Codec.Append(raw[:0], fmt.Sprintf("text %03d", i)); err != nil {
				return err
			}
			if err := st.send(r, carrier.Signal{Data: carrier.RawValue(st.client.Codec, raw)}); err != nil {
				return err
			}
		}
		st.sink.Submit()
		st.sink.Flush(true)
		if err := st.allAnswered(); err != nil {
			return err
		}
		st.mu.Lock()
		defer st.mu.Unlock()
		for i := range count {
			want := fmt.Sprintf(`"text %03d"`, i)
			if got := kept[i].Data.String(); got != want || st.heard[i].data != want {
				return fmt.Errorf("%s: signal %d is %s when it arrives and %s later, not %s", st.to.name, i, st.heard[i].data, got, want)
			}
		}
		return nil
	})
}

// signalTooLarge: a signal that is too large is not put, and leaves its route and the others as they were.
func signalTooLarge(s *session) {
	long := strings.Repeat("x", 2*s.pair.MaxData+64)
	s.each(func(st *stream) error {
		first, second := st.route("a", "e"), st.route("bb", "e")
		tooLarge := func(r *carrier.OutRoute) error {
			if err := st.send(r, carrier.Signal{Data: carrier.ValueOf(long)}); !errors.Is(err, carrier.ErrTooLarge) {
				return fmt.Errorf("%s: Put of %d bytes gives %v, not ErrTooLarge", st.from.name, len(long), err)
			}
			return nil
		}
		err := errors.Join(
			tooLarge(first), st.sendTexts(second, "1"), // a route that was told in vain leaves no gap
			st.sendTexts(first, "2"), tooLarge(first), st.sendTexts(first, "3"), st.sendTexts(second, "4"),
			st.allAnswered(), st.sees("1", "2", "3", "4"),
		)
		if err != nil {
			return err
		}
		for i, sender := range []string{"bb", "a", "a", "bb"} {
			if got := st.heard[i].route.Sender; got != sender {
				return fmt.Errorf("%s: signal %d is of %s, not of %s", st.to.name, i, got, sender)
			}
		}
		return nil
	})
}

// signalFlush: neither Put nor Flush waits for a client that reads nothing; what waits is counted, and arrives when it
// reads again.
func signalFlush(s *session) {
	release := make(chan struct{})
	resume := sync.OnceFunc(func() { close(release) })
	defer resume()
	offered := s.streams()
	for _, st := range offered {
		var total atomic.Int64
		st.sink.Account(&total)
		st.receive(func(signals []carrier.Signal, answers carrier.Answers) {
			<-release
			answers.Done(len(signals))
		})
		r, text := st.route("s", "e"), strings.Repeat("x", min(s.pair.MaxData/2, 4000))
		s.must(s.within("Put or Flush", func() error {
			for n := 0; n < st.sink.Window() && st.sink.Pending() < carrier.PendingLimit; n++ {
				if err := st.sendTexts(r, text); err != nil {
					return err
				}
			}
			return nil
		}))
		defer func() {
			if pending, waits := st.sink.Pending(), total.Load(); pending != 0 || waits != 0 {
				s.Errorf("%s: everything is answered, and %d bytes are pending, %d in total", st.from.name, pending, waits)
			}
		}()
	}
	resume()
	for _, st := range offered {
		s.must(st.allAnswered())
	}
}
