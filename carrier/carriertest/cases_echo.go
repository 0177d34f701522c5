package carriertest

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"sighub/carrier"
)

// echo: texts pass in both directions as they are, the empty one and one with every rune up to U+00FF.
func echo(s *session) {
	s.serve()
	var all []rune
	for r := range rune(0x100) {
		all = append(all, r)
	}
	piece := s.pair.MaxData / 6 // JSON writes a control character in six bytes
	s.both(func(e *end) error {
		id := e.to()
		if err := e.echo(id, ""); err != nil {
			return err
		}
		for rest := all; len(rest) > 0; {
			n := min(piece, len(rest))
			if err := e.echo(id, string(rest[:n])); err != nil {
				return err
			}
			rest = rest[n:]
		}
		return nil
	})
}

// values: what JSON can say arrives as it was, and nothing at all as null.
func values(s *session) {
	s.serve()
	s.both(func(e *end) error {
		for _, want := range []any{
			true, false, int64(0), int64(-1), int64(512), int64(1 << 53), 1.5, -0.25, "text", []any{},
			[]any{int64(1), "two", nil}, map[string]any{"sender": "light", "deep": map[string]any{"x": []any{2.5}}},
			nil,
		} {
			r, err := e.call(e.to(), "echo", want)
			if err != nil {
				return err
			}
			got, err := r.Response.Any()
			if r.Response.IsNull() {
				got, err = nil, nil
			}
			if err != nil || !reflect.DeepEqual(got, want) {
				return fmt.Errorf("%s: sent %T %v, got back %T %v, %v", e.name, want, want, got, got, err)
			}
		}
		r, err := e.call(e.to(), "null", nil)
		if err == nil && (r.Err() != nil || !r.Response.IsNull()) {
			err = fmt.Errorf("%s: a reply without a response arrives as %+v", e.name, r)
		}
		return err
	})
}

// largest: the largest message and the largest reply pass in both directions.
func largest(s *session) {
	s.serve()
	s.both(func(e *end) error { return e.echo(e.to(), strings.Repeat("x", s.pair.MaxData)) })
}

// tooLarge: a message that is too large is refused, a reply that is too large becomes an error reply, and both
// leave the connection as it was.
func tooLarge(s *session) {
	s.serve()
	size := 2*s.pair.MaxData + 64
	s.both(func(e *end) error {
		id := e.to()
		if _, err := e.call(id, "echo", strings.Repeat("x", size)); !errors.Is(err, carrier.ErrTooLarge) {
			return fmt.Errorf("%s: Transmit of %d bytes gives %v, not ErrTooLarge", e.name, size, err)
		}
		r, err := e.call(id, "long", size)
		if err != nil {
			return err
		}
		if r.Status != carrier.StatusTooLarge {
			return fmt.Errorf("%s: a reply of %d bytes arrives with status %d (%s), not %d", e.name, size,
				r.Status, r.Exception, carrier.StatusTooLarge)
		}
		return e.echo(id, "still there")
	})
}

// notKept: what a message is made of may be changed once Transmit has returned.
func notKept(s *session) {
	const count = 20
	s.serve()
	s.both(func(e *end) error {
		c, err := e.Client(s.ctx)
		if err != nil {
			return err
		}
		var calls []*sent
		var wanted []string
		var raw []byte // used for all of them
		for i := range count {
			wanted = append(wanted, fmt.Sprintf("%s %02d", e.name, i))
			if raw, err = c.Codec.Append(raw[:0], wanted[i]); err != nil {
				return err
			}
			m, err := e.transmit(s.ctx, c.ID, "echo", carrier.RawValue(c.Codec, raw))
			if err != nil {
				return err
			}
			calls = append(calls, m)
		}
		for i, m := range calls {
			r, err := m.wait(s.ctx)
			if err != nil {
				return err
			}
			var got string
			if err := r.Response.Decode(&got); err != nil || got != wanted[i] {
				return fmt.Errorf("%s: %q was changed after it was transmitted, and came back as %q, %v", e.name, wanted[i], got, err)
			}
		}
		return nil
	})
}

// errorReplies: status and exception arrive as they were given.
func errorReplies(s *session) {
	s.serve()
	s.both(func(e *end) error {
		for _, want := range []carrier.Reply{
			{Status: carrier.StatusNoSuchMethod, Exception: "no method x"},
			{Status: carrier.StatusFailed, Exception: "läßt sich \"nicht\" öffnen\n"},
			{Status: carrier.StatusLimit},
			{Status: -1000, Exception: "?"},
		} {
			params := carrier.Object{{Key: "status", Value: int(want.Status)}, {Key: "exception", Value: want.Exception}}
			got, err := e.call(e.to(), "fail", params)
			if err != nil {
				return err
			}
			if got.Status != want.Status || got.Exception != want.Exception || !got.Response.IsNull() {
				return fmt.Errorf("%s: the reply %d %q arrives as %d %q %v", e.name, want.Status, want.Exception,
					got.Status, got.Exception, got.Response)
			}
		}
		r, err := e.call(e.to(), "nosuch", nil)
		if err == nil && r.Status != carrier.StatusNoSuchMethod {
			err = fmt.Errorf("%s: an unknown method is answered with %v", e.name, r.Err())
		}
		return err
	})
}
