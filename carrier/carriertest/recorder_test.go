package carriertest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"sighub/carrier"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A fakeT remembers what was reported instead of failing.
type fakeT struct {
	testing.TB
	errors []string
}

func (f *fakeT) Errorf(format string, args ...any) {
	f.errors = append(f.errors, fmt.Sprintf(format, args...))
}

func TestRecorderFindsBrokenRules(t *testing.T) {
	one := carrier.Client{ID: 1, Addr: "test://1", Codec: carrier.JSON}
	two := carrier.Client{ID: 2, Addr: "test://2", Codec: carrier.JSON}
	message := &carrier.Message{Method: "echo"}
	ignore := func(carrier.Reply) {}
	for name, c := range map[string]struct {
		run  func(r *Recorder)
		want string // a part of the one report; empty: no rule is broken
	}{
		"all well": {run: func(r *Recorder) {
			r.ClientConnected(one)
			r.ClientConnected(two)
			r.HandleMessage(1, message, ignore)
			r.ClientDisconnected(2, carrier.ErrClosed)
			r.HandleMessage(1, message, ignore)
			r.ClientDisconnected(1, carrier.ErrClosed)
			r.AllClientsDisconnected(carrier.ErrShutdown)
			r.Served()
		}},
		"overlap": {func(r *Recorder) {
			r.ClientConnected(one)
			r.Handle = func(id carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
				r.Handle = nil
				r.HandleMessage(id, m, respond)
			}
			r.HandleMessage(1, message, ignore)
		}, "overlaps HandleMessage"},
		"no overlap of two clients": {run: func(r *Recorder) {
			r.ClientConnected(one)
			r.ClientConnected(two)
			r.Handle = func(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
				r.Handle = nil
				r.HandleMessage(2, m, respond)
			}
			r.HandleMessage(1, message, ignore)
		}},
		"message before connected": {func(r *Recorder) { r.HandleMessage(1, message, ignore) }, "was not connected"},
		"message after disconnected": {func(r *Recorder) {
			r.ClientConnected(one)
			r.ClientDisconnected(1, carrier.ErrClosed)
			r.HandleMessage(1, message, ignore)
		}, "was disconnected before"},
		"disconnected twice": {func(r *Recorder) {
			r.ClientConnected(one)
			r.ClientDisconnected(1, carrier.ErrClosed)
			r.ClientDisconnected(1, carrier.ErrClosed)
		}, "was disconnected before"},
		"no cause": {func(r *Recorder) {
			r.ClientConnected(one)
			r.ClientDisconnected(1, nil)
		}, "no cause"},
		"id used twice": {func(r *Recorder) {
			r.ClientConnected(one)
			r.ClientDisconnected(1, carrier.ErrClosed)
			r.ClientConnected(one)
		}, "was used before"},
		"no codec": {func(r *Recorder) { r.ClientConnected(carrier.Client{ID: 1, Addr: "x"}) }, "needs an ID"},
		"all disconnected too early": {func(r *Recorder) {
			r.ClientConnected(one)
			r.AllClientsDisconnected(carrier.ErrShutdown)
		}, "was not disconnected before"},
		"all disconnected twice": {func(r *Recorder) {
			r.AllClientsDisconnected(carrier.ErrShutdown)
			r.AllClientsDisconnected(carrier.ErrShutdown)
		}, "after AllClientsDisconnected"},
		"all disconnected never": {func(r *Recorder) { r.Served() }, "AllClientsDisconnected was not called"},
		"call after Serve": {func(r *Recorder) {
			r.AllClientsDisconnected(carrier.ErrShutdown)
			r.Served()
			r.ClientConnected(one)
		}, "after Serve has returned"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fakeT{TB: t}
			c.run(NewRecorder(f, "test"))
			switch {
			case c.want == "" && len(f.errors) > 0:
				t.Errorf("reported without reason: %q", f.errors)
			case c.want != "" && (len(f.errors) != 1 || !strings.Contains(f.errors[0], c.want)):
				t.Errorf("reported %q, want one report that contains %q", f.errors, c.want)
			}
		})
	}
}

// A badCarrier breaks the rules of done in the way its test says.
type badCarrier struct {
	carrier.Carrier
	transmit func(done func(carrier.Reply, error)) error
}

func (b badCarrier) Transmit(_ context.Context, _ carrier.ClientID, _ *carrier.Message, done func(carrier.Reply, error)) error {
	return b.transmit(done)
}

func (badCarrier) Serve(_ context.Context, h carrier.Handler) error {
	h.AllClientsDisconnected(carrier.ErrShutdown)
	return nil
}

func TestSessionFindsBrokenDone(t *testing.T) {
	for name, c := range map[string]struct {
		transmit func(done func(carrier.Reply, error)) error
		want     string
	}{
		"twice": {func(done func(carrier.Reply, error)) error {
			done(carrier.Reply{}, carrier.ErrGone)
			done(carrier.Reply{}, carrier.ErrGone)
			return nil
		}, "called twice"},
		"never": {func(func(carrier.Reply, error)) error { return nil }, "done was not called"},
		"and refused": {func(done func(carrier.Reply, error)) error {
			done(carrier.Reply{}, carrier.ErrGone)
			return carrier.ErrGone
		}, "but done was called"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fakeT{TB: t}
			s := &session{TB: f, ctx: t.Context(), limit: caseLimit}
			e := s.newEnd("end", badCarrier{transmit: c.transmit})
			e.serve()
			_, _ = e.transmit(context.Background(), 1, "echo", nil) // the report is what counts
			e.close()
			if len(f.errors) != 1 || !strings.Contains(f.errors[0], c.want) {
				t.Errorf("reported %q, want one report that contains %q", f.errors, c.want)
			}
		})
	}
}
