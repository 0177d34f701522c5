package carriertest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"sighub/carrier"
)

// notPackable: a message that no codec can pack is refused. A reply that no codec can pack is replaced by one that says so.
func notPackable(s *session) {
	for _, e := range []*end{s.hub, s.peer} {
		e.Handle = func(id carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
			if m.Method == "func" {
				respond(carrier.Done(func() {}))
				return
			}
			Answer(id, m, respond)
		}
	}
	s.serve()
	s.both(func(e *end) error {
		id := e.to()
		if _, err := e.transmit(s.ctx, id, "echo", func() {}); err == nil {
			return fmt.Errorf("%s: Transmit takes a function", e.name)
		}
		r, err := e.call(id, "func", nil)
		if err != nil {
			return err
		}
		if r.Status != carrier.StatusFailed || r.Exception == "" {
			return fmt.Errorf("%s: a reply that cannot be packed arrives as %d %q, not as a failure", e.name, r.Status, r.Exception)
		}
		return e.echo(id, "goes on")
	})
}

// malformed: what is not a message is answered with that status. So is a message that is nested too deeply.
func malformed(s *session) {
	s.serve()
	switch {
	case s.pair.Malformed != nil:
		if status := s.pair.Malformed(); status != carrier.StatusMalformed {
			s.Errorf("a malformed message is answered with status %d", status)
		}
	case s.pair.PackedIDs:
		s.Log("not applicable: Pair.Malformed is nil")
		return
	}
	if s.pair.PackedIDs {
		s.works()
		return
	}
	s.both(func(e *end) error {
		c, err := e.Client(s.ctx)
		if err != nil {
			return err
		}
		const depth = carrier.MaxDepth + 8
		deep := append(bytes.Repeat([]byte{0x81}, depth), 0x80)
		if c.Codec.Name() == carrier.JSON.Name() {
			deep = []byte(strings.Repeat("[", depth) + strings.Repeat("]", depth))
		}
		r, err := e.call(c.ID, "echo", carrier.RawValue(c.Codec, deep))
		if err != nil {
			return err
		}
		if r.Status != carrier.StatusMalformed {
			return fmt.Errorf("%s: a message that is nested too deeply is answered with %d %q", e.name, r.Status, r.Exception)
		}
		return e.echo(c.ID, "goes on")
	})
}

// A packProbe records that it was packed.
type packProbe struct{ packed *atomic.Bool }

// AppendTo implements carrier.Appender.
func (p packProbe) AppendTo(dst []byte, c carrier.Codec) ([]byte, error) {
	p.packed.Store(true)
	return c.Append(dst, "a second reply")
}

// answeredOnce: only the first call of respond counts; the replies of later ones are not even packed.
func answeredOnce(s *session) {
	var packed atomic.Bool
	for _, e := range []*end{s.hub, s.peer} {
		e.Handle = func(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
			if m.Method != "echo" {
				respond(carrier.Failed(errors.New("unknown")))
				return
			}
			respond(carrier.Done(m.Params))
			respond(carrier.Done(packProbe{&packed}))
			done := make(chan struct{})
			go func() { defer close(done); respond(carrier.Done(packProbe{&packed})) }()
			<-done
		}
	}
	s.serve()
	s.works()
	s.works()
	if packed.Load() {
		s.Error("a second reply was packed, and sent perhaps")
	}
}
