package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/hub"
	"sighub/internal/address"
	"sighub/internal/plain"
	"sighub/listen/keys"
)

// hubFlags are the flags of every command that is a client of a hub.
type hubFlags struct {
	Hub string `env:"SIGHUB_HUB" placeholder:"ADDR" help:"The hub's address: host:port, tcp://host:port, tls://host:port/PIN, unix:///path, or wss://host/path behind a proxy. Default: the socket of a hub on this machine, else the hub that was joined, else tcp://127.0.0.1:3000."`
	Pin string `env:"SIGHUB_PIN" placeholder:"PIN" help:"Over TLS: the pin of the hub's key, as sighub cert prints it there, if it is not in the address."`
	CA  string `name:"ca" env:"SIGHUB_CA" placeholder:"FILE" help:"Over TLS, without a pin: the authorities that may vouch for the hub, in PEM. Default: the system's."`
	Key string `env:"SIGHUB_KEY" placeholder:"FILE" help:"Over TLS: the file of a key by which the hub knows you; it is made if it is not there."`

	wants   string // what is wanted of the hub, as sighub can takes it: "request pump on"; empty: to see what concerns the hub itself
	legacy  bool   // the server knows no hello; with sets it
	lingers bool   // the connection lasts until the command has ended, also if it is interrupted
}

// answerTime bounds the wait for an answer of the hub. It is longer than the hub waits for a sender, so that the user gets
// to read the hub's error.
const answerTime = 15 * time.Second

// legacyAfter is how long a hub may take to answer before the command tries what an old server understands, beside it.
const legacyAfter = 1500 * time.Millisecond

// with connects to the hub and calls use. It is an error if the hub cannot be reached at first. If the connection is lost
// later, the user is told, and it is made again. A server that does not understand CBOR, such as the original pysig, is spoken to
// in JSON.
func (f *hubFlags) with(ctx context.Context, s *streams, name string, use func(context.Context, *hub.ClientRouter) error) error {
	addr, secure, err := f.place()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	connected := ctx
	if f.lingers {
		connected = context.WithoutCancel(ctx)
	}
	first := newAttempt(connected, stop, s, addr, secure, name, carrier.CBOR)
	defer first.end()
	firstFailed := first.failed
	patience := time.NewTimer(legacyAfter)
	defer patience.Stop()
	select {
	case <-first.connected:
		return withRemedy(f.explainDenied(ctx, first.router, use(ctx, first.router)))
	case err = <-firstFailed:
		if isDialing(err) || isAny(err, tcp.ErrTLS, carrier.ErrDenied, tcp.ErrClearText) {
			return unreachable(addr, err)
		}
		firstFailed = nil // somebody is there, who does not understand
		first.end()
	case <-patience.C:
	case <-ctx.Done():
		return becauseOf(ctx, nil)
	}
	second := newAttempt(connected, stop, s, addr, secure, name, carrier.JSON)
	defer second.end()
	secondFailed := second.failed
	for firstFailed != nil || secondFailed != nil {
		select {
		case <-first.connected:
			second.end()
			return withRemedy(f.explainDenied(ctx, first.router, use(ctx, first.router)))
		case <-second.connected:
			first.end()
			if f.legacy = !second.hello.Load(); f.legacy {
				s.note("the server at %s knows no hello, so it is spoken to as by an old program: it tells neither times nor units nor losses, "+
					"nor who the senders belong to, and knows no --policy and no --time", addr)
			}
			err := use(ctx, second.router)
			if refusal, ok := errors.AsType[*carrier.StatusError](err); ok && f.legacy && refusal.Status == carrier.StatusNoSuchMethod {
				err = fmt.Errorf("the server at %s cannot do this: it is not a sighub hub", addr)
			}
			return withRemedy(f.explainDenied(ctx, second.router, err))
		case err = <-firstFailed:
			firstFailed = nil
			first.end()
		case failed := <-secondFailed:
			secondFailed = nil
			second.end()
			if err == nil {
				err = failed
			}
		case <-ctx.Done():
			return becauseOf(ctx, nil)
		}
	}
	return unreachable(addr, err)
}

// withRemedy adds what to do to an error of the hub that does not say so.
func withRemedy(err error) error {
	if errors.Is(err, hub.ErrNoJournal) {
		return fmt.Errorf("%w: it is configured so, or cannot use its folder (`sighub journal info`)", err)
	}
	return err
}

// isDialing reports whether an error is about making a connection, before anything was said.
func isDialing(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// An attempt connects to a hub in one codec.
type attempt struct {
	router    *hub.ClientRouter
	connected chan struct{} // closed when it is connected for the first time
	failed    chan error    // the first failure
	hello     atomic.Bool   // the hub knows hello; only of JSON
	stop      context.CancelFunc
	stopped   context.Context
	serving   sync.WaitGroup
}

// newAttempt begins to connect. refused is told if the hub does not let the client in when it comes back.
func newAttempt(ctx context.Context, refused func(error), s *streams, addr address.Address, secure tcp.TLS, name string, codec carrier.Codec) *attempt {
	a := &attempt{connected: make(chan struct{}), failed: make(chan error, 1)}
	client := addr.Connect(address.ClientOptions{
		Name:  name,
		Codec: codec,
		TLS:   secure,
		Token: os.Getenv("SIGHUB_TOKEN"), // not a flag, because others see the command line
		Failed: func(err error) {
			select {
			case a.failed <- err:
			default: // only the first error is of interest
			}
			select {
			case <-a.connected:
				if errors.Is(err, carrier.ErrDenied) {
					refused(deniedLogin(addr, err))
				}
			default:
			}
		},
	})
	if codec == carrier.JSON {
		client = helloWatcher{client, &a.hello}
	}
	first := true
	a.stopped, a.stop = context.WithCancel(ctx)
	a.router = hub.NewClientRouter(hub.ClientOptions{
		RequestTimeout: answerTime,
		Connected: func() {
			if first {
				first = false
				close(a.connected)
				return
			}
			s.note("the hub at %s is back", addr)
		},
		Denied: func(_ *hub.Sender, _ *hub.Listener, err error) {
			s.note("the hub at %s does not allow this any more: %s", addr, plain.Text(err.Error()))
		},
		Disconnected: func(cause error) {
			if !errors.Is(cause, carrier.ErrShutdown) || a.stopped.Err() == nil {
				s.note("the connection to the hub at %s is lost (%s): connecting again", addr, carrier.Reason(cause))
			}
		},
	})
	a.serving.Go(func() { _ = a.router.Serve(a.stopped, client) }) // a client carrier never fails for good
	return a
}

// end ends the attempt and its connection.
func (a *attempt) end() {
	a.stop()
	a.serving.Wait()
}

// A helloWatcher is a carrier that notes whether the hub knows hello.
type helloWatcher struct {
	carrier.Carrier
	hello *atomic.Bool
}

// Serve implements carrier.Carrier.
func (w helloWatcher) Serve(ctx context.Context, h carrier.Handler) error {
	return w.Carrier.Serve(ctx, &watchedHandler{h, w.hello})
}

type watchedHandler struct {
	carrier.Handler
	hello *atomic.Bool
}

// ClientConnected implements carrier.Handler.
func (h *watchedHandler) ClientConnected(c carrier.Client) {
	h.hello.Store(c.Hello)
	h.Handler.ClientConnected(c)
}

// becauseOf returns why a command ends whose context is done: it is late, or the user has interrupted it. If the context is not
// done, it is err.
func becauseOf(ctx context.Context, err error) error {
	switch cause := context.Cause(ctx); {
	case cause == nil:
		return err
	case isAny(cause, errInTime, carrier.ErrDenied):
		return cause
	case err != nil && !errors.Is(err, context.Canceled):
		return errors.Join(err, errInterrupted)
	default:
		return errInterrupted
	}
}

// errInterrupted is the error of a command that the user ended before it was done.
var errInterrupted = errors.New("interrupted")

func unreachable(addr address.Address, err error) error {
	what := "start it with `sighub run`, or name another with --hub or SIGHUB_HUB"
	var (
		errno syscall.Errno
		dns   *net.DNSError
	)
	closed := "check that a hub listens there"
	if addr.Network == "tcp" {
		closed += ", and whether it takes TLS only, at tls://" + addr.Addr
	}
	switch {
	case errors.Is(err, carrier.ErrDenied):
		return deniedLogin(addr, err)
	case errors.Is(err, keys.ErrPin):
		return unreachableError{fmt.Errorf("cannot reach the hub at %s: %s", addr, plain.Text(keys.ErrPin.Error()))}
	case isAny(err, tcp.ErrTLS, tcp.ErrClearText):
		return unreachableError{errors.New(plain.Text(err.Error()))}
	case errors.Is(err, syscall.EACCES):
		err, what = syscall.EACCES, "you may not write to the hub's socket: change its mode or group, or run this as the user that runs the hub"
	case errors.As(err, &errno):
		err = errno
	case errors.As(err, &dns):
		err, what = errors.New("no such host"), "check the name, or name another with --hub or SIGHUB_HUB"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		err = errors.New("no answer in time")
	case errors.Is(err, carrier.ErrClosed):
		err, what = errors.New("it closes the connection"), closed
	case errors.Is(err, carrier.ErrTimeout):
		err, what = errors.New("it does not answer"), "check that a hub listens there"
	default:
		err, what = errors.New(plain.Text(err.Error())), "check that a hub listens there"
	}
	return unreachableError{fmt.Errorf("cannot reach the hub at %s: %w: %s", addr, err, what)}
}
