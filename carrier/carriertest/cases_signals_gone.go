package carriertest

import (
	"errors"
	"fmt"

	"sighub/carrier"
)

// signalsWanted: streams are offered only where both handlers take them. Otherwise messages still pass.
func signalsWanted(s *session) {
	for _, taken := range []int{0, 1, 2} { // by nobody, the hub's handler alone, the peer's alone
		round := newSession(s.TB, s.connect, s.limit)
		for i, e := range []*end{round.hub, round.peer} {
			if taken == i+1 {
				e.handler = &StreamRecorder{Recorder: e.Recorder}
			}
		}
		round.serve()
		for _, e := range []*end{round.hub, round.peer} {
			c, err := e.Client(round.ctx)
			round.must(err)
			if c.Signals != nil {
				round.Errorf("%s: a handler takes no streams, and Client.Signals is %v", e.name, c.Signals)
			}
		}
		round.works()
		round.peer.close()
		round.hub.close()
	}
}

// signalsCut: signals that are on their way when the connection is cut are not answered afterwards. Put fails with
// ErrGone, and the next connection begins anew.
func signalsCut(s *session) {
	type cut struct {
		*stream
		answers carrier.Answers
		old     *carrier.OutRoute
	}
	var cuts []cut
	for _, st := range s.streams() {
		held, r := st.hold(), st.route("s", "e")
		for range min(3, st.sink.Window()) {
			s.must(st.send(r, carrier.Signal{Data: carrier.ValueOf("lost")}))
		}
		st.sink.Submit()
		st.sink.Flush(true)
		a, err := st.answers(held)
		s.must(err)
		cuts = append(cuts, cut{st, a, r})
	}
	if len(cuts) == 0 {
		return
	}
	atHub, atPeer := s.connected()
	s.pair.Cut()
	_, err := s.hub.Gone(s.ctx, atHub)
	s.must(err)
	_, err = s.peer.Gone(s.ctx, atPeer)
	s.must(err)
	for _, c := range cuts {
		s.must(c.packed.Pack(c.client.Codec, &carrier.Signal{}))
		if _, err := c.sink.Put(c.old, &c.packed); !errors.Is(err, carrier.ErrGone) {
			s.Errorf("%s: Put for a client that has gone gives %v, not ErrGone", c.from.name, err)
		}
		c.sink.Submit()
		c.sink.Flush(true)
		c.mu.Lock()
		if c.answered > 0 {
			s.Errorf("%s: %d signals that were cut off were answered", c.from.name, c.answered)
		}
		c.put, c.heard, c.take = 0, nil, nil
		c.mu.Unlock()
	}
	s.restore()
	s.works()
	for _, c := range cuts {
		var err error
		c.client, err = c.from.Client(s.ctx)
		s.must(err)
		c.sink = c.client.Signals
		c.answers.Done(3) // of the connection before: these answer nothing on this one
		s.must(c.sendTexts(c.route("t", "e"), "1", "no", "2"))
		s.must(c.allAnswered())
		s.must(c.sees("1", "no", "2"))
		if _, failed := c.failed[1]; !failed || len(c.failed) != 1 {
			s.Errorf("%s: after a cut, failed: %v", c.from.name, c.failed)
		}
	}
}

// signalsMisanswered: a client that answers more signals than were put is disconnected, and those answers are not passed
// on.
func signalsMisanswered(s *session) {
	for _, wrong := range []func(a carrier.Answers){
		func(a carrier.Answers) { a.Done(3) },
		func(a carrier.Answers) { a.Done(1); a.Fail(carrier.Failed(errRefused)) },
	} {
		round := newSession(s.TB, s.connect, s.limit)
		for _, st := range round.streams() {
			st.receive(func(_ []carrier.Signal, a carrier.Answers) { wrong(a) })
			if err := st.sendTexts(st.route("s", "e"), "1"); err != nil {
				round.Fatal(err)
			}
			cause, err := st.from.Gone(round.ctx, st.client.ID)
			round.must(err)
			if !errors.Is(cause, carrier.ErrMalformed) {
				round.Errorf("%s: its client answered what was not put, and was disconnected with cause %v", st.from.name, cause)
			}
			break // the other direction goes with it
		}
		round.peer.close()
		round.hub.close()
	}
}

// signalsAmongMessages: messages pass beside signals, and a handler may do in HandleSignals what it may in HandleMessage.
func signalsAmongMessages(s *session) {
	const count = 100
	s.each(func(st *stream) error {
		st.receive(func(signals []carrier.Signal, answers carrier.Answers) {
			to := st.to.to()
			if err := s.within("Transmit in HandleSignals", func() error {
				_, err := st.to.transmit(s.ctx, to, "echo", "heard")
				return err
			}); err != nil {
				s.Errorf("%s: %v", st.to.name, err)
			}
			answers.Done(len(signals))
		})
		r := st.route("s", "e")
		for i := range count {
			if err := st.sendTexts(r, fmt.Sprint(i)); err != nil {
				return err
			}
			if err := st.from.echo(st.client.ID, fmt.Sprint(i)); err != nil {
				return err
			}
		}
		return st.allAnswered()
	})
}
