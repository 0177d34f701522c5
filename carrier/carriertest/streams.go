package carriertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"sighub/carrier"
)

// A StreamRecorder is a [Recorder] that takes signals as streams: a [carrier.SignalHandler]. Set its functions before it
// is used.
type StreamRecorder struct {
	*Recorder
	// Signals handles signals; nil: each is answered as done.
	Signals func(id carrier.ClientID, signals []carrier.Signal, answers carrier.Answers)
	// Answered is told of answers, if it is not nil.
	Answered func(id carrier.ClientID, n int, failed *carrier.Reply)
}

// HandleSignals implements [carrier.SignalHandler].
func (r *StreamRecorder) HandleSignals(id carrier.ClientID, signals []carrier.Signal, answers carrier.Answers) {
	defer r.enter(id, "HandleSignals")()
	if r.Signals == nil {
		answers.Done(len(signals))
		return
	}
	r.Signals(id, signals, answers)
}

// SignalsAnswered implements [carrier.SignalHandler].
func (r *StreamRecorder) SignalsAnswered(id carrier.ClientID, n int, failed *carrier.Reply) {
	defer r.enter(id, "SignalsAnswered")()
	if n < 1 || failed != nil && (n != 1 || failed.Status == carrier.StatusDone) {
		r.errorf("SignalsAnswered: %d signals, failed: %+v", n, failed)
	}
	if r.Answered != nil {
		r.Answered(id, n, failed)
	}
}

// A stream is the signals of one direction: what one end has put, and what the other one was given.
type stream struct {
	s        *session
	from, to *end
	client   carrier.Client // of from: where its sink is
	sink     carrier.SignalSink
	packed   carrier.PackedSignal

	// take is what the receiving handler does with signals, beside noting them; nil: it answers each, "no" with refused.
	take func(signals []carrier.Signal, answers carrier.Answers)

	mu       sync.Mutex
	changed  chan struct{} // closed at every change
	put      int
	heard    []heard
	answered int
	failed   map[int]carrier.Reply // by the signal's place
}

// A heard signal is what arrived of one, with data that was decoded when it arrived.
type heard struct {
	route carrier.Route
	carrier.Signal
	data string
}

var errRefused = errors.New("refused")

// streams serves both ends with handlers that take streams, and returns those that the medium offers.
func (s *session) streams() []*stream {
	s.Helper()
	all := []*stream{
		{s: s, from: s.peer, to: s.hub, changed: make(chan struct{}), failed: make(map[int]carrier.Reply)},
		{s: s, from: s.hub, to: s.peer, changed: make(chan struct{}), failed: make(map[int]carrier.Reply)},
	}
	for i, st := range all { // what one receives is answered on the other's way
		st.to.handler = &StreamRecorder{Recorder: st.to.Recorder, Signals: st.arrived, Answered: all[1-i].wasAnswered}
	}
	s.serve()
	missing := []bool{s.pair.NoSignalsToHub, s.pair.NoSignalsToPeer}
	var offered []*stream
	for i, st := range all {
		var err error
		st.client, err = st.from.Client(s.ctx)
		s.must(err)
		st.sink = st.client.Signals
		if (st.sink == nil) != missing[i] {
			s.Fatalf("%s: both handlers take streams, and Client.Signals is %v", st.from.name, st.sink)
		}
		if st.sink != nil {
			offered = append(offered, st)
		}
	}
	if len(offered) == 0 {
		s.Log("not applicable: signals travel as messages")
	}
	return offered
}

// each runs f for each stream that the medium offers, at the same time.
func (s *session) each(f func(st *stream) error) {
	s.Helper()
	offered := s.streams()
	s.must(parallel(len(offered), func(i int) error { return f(offered[i]) }))
}

func (st *stream) arrived(_ carrier.ClientID, signals []carrier.Signal, answers carrier.Answers) {
	st.mu.Lock()
	for i := range signals {
		h := heard{route: *signals[i].Route, Signal: signals[i], data: signals[i].Data.String()}
		signals[i].Route.Handle = st // until another route has its number
		st.heard = append(st.heard, h)
	}
	st.change()
	take := st.take
	st.mu.Unlock()
	if take == nil {
		take = answerAll
	}
	take(signals, answers)
}

// answerAll answers each signal: those that say "no" fail.
func answerAll(signals []carrier.Signal, answers carrier.Answers) {
	for i := range signals {
		if signals[i].Data.String() == `"no"` {
			answers.Fail(carrier.Failed(errRefused))
		} else {
			answers.Done(1)
		}
	}
}

func (st *stream) wasAnswered(_ carrier.ClientID, n int, failed *carrier.Reply) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.answered+n > st.put {
		st.from.errorf("%d signals were put, %d are answered", st.put, st.answered+n)
	}
	if failed != nil {
		st.failed[st.answered] = *failed
	}
	st.answered += n
	st.change()
}

func (st *stream) change() {
	close(st.changed)
	st.changed = make(chan struct{})
}

// until waits until cond, which is called with the lock held, is true.
func (st *stream) until(what string, cond func() bool) error {
	for {
		st.mu.Lock()
		ok, changed := cond(), st.changed
		state := fmt.Sprintf("%d put, %d heard, %d answered", st.put, len(st.heard), st.answered)
		st.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-st.s.ctx.Done():
			return fmt.Errorf("%s waits for %s: %s", st.from.name, what, state)
		}
	}
}

// allAnswered waits until everything that was put is answered, and checks that it arrived.
func (st *stream) allAnswered() error {
	err := st.until("all answers", func() bool { return st.answered == st.put })
	st.mu.Lock()
	defer st.mu.Unlock()
	if err == nil && len(st.heard) != st.put {
		err = fmt.Errorf("%s: %d signals were put and answered, %d arrived", st.from.name, st.put, len(st.heard))
	}
	return err
}

// send puts a signal, when there is room for it, and flushes it: every third time at once.
func (st *stream) send(r *carrier.OutRoute, signal carrier.Signal) error {
	if err := st.until("room in the window", func() bool { return st.put-st.answered < st.sink.Window() }); err != nil {
		return err
	}
	if err := st.packed.Pack(st.client.Codec, &signal); err != nil {
		return err
	}
	st.mu.Lock()
	st.put++ // it may be answered before Put returns
	n := st.put
	st.mu.Unlock()
	pending, err := st.sink.Put(r, &st.packed)
	if err != nil {
		st.mu.Lock()
		st.put--
		st.mu.Unlock()
		return err
	}
	if n%3 == 0 || pending >= carrier.PendingLimit {
		st.sink.Submit()
		st.sink.Flush(n%2 == 0)
	}
	return nil
}

// sendTexts sends texts on a route and flushes them.
func (st *stream) sendTexts(r *carrier.OutRoute, texts ...string) error {
	for _, text := range texts {
		if err := st.send(r, carrier.Signal{Data: carrier.ValueOf(text)}); err != nil {
			return fmt.Errorf("%s: %.20q: %w", st.from.name, text, err)
		}
	}
	st.sink.Submit()
	st.sink.Flush(false)
	return nil
}

// sees checks the texts that arrived.
func (st *stream) sees(want ...string) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	var got []string
	for i := range st.heard {
		got = append(got, st.heard[i].data)
	}
	for i := range want {
		want[i] = fmt.Sprintf("%q", want[i])
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("%s: arrived: %.200q, want %.200q", st.to.name, got, want)
	}
	return nil
}

// receive sets what the receiving handler does with signals from here on.
func (st *stream) receive(take func(signals []carrier.Signal, answers carrier.Answers)) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.take = take
}

// hold leaves signals unanswered, and returns where the answers to them are to be given.
func (st *stream) hold() <-chan carrier.Answers {
	held := make(chan carrier.Answers, 1)
	st.receive(func(_ []carrier.Signal, answers carrier.Answers) {
		select {
		case held <- answers:
		default:
		}
	})
	return held
}

// answers waits for the first of those that hold left unanswered.
func (st *stream) answers(held <-chan carrier.Answers) (carrier.Answers, error) {
	select {
	case a := <-held:
		return a, nil
	case <-st.s.ctx.Done():
		return nil, fmt.Errorf("%s waits for a signal: %w", st.to.name, context.Cause(st.s.ctx))
	}
}

// route makes a route as its owner does.
func (st *stream) route(sender, event string) *carrier.OutRoute {
	r := &carrier.OutRoute{Route: carrier.Route{Sender: sender, Event: event}}
	if st.from == st.s.hub {
		r.Listener = uint64(len(sender))
	}
	return r
}
