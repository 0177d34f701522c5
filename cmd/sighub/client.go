package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"sighub/carrier"
	"sighub/hub"
	"sighub/internal/address"
)

// hubFlags are those of every command that is a client of a hub.
type hubFlags struct {
	Hub string `default:"tcp://127.0.0.1:3000" env:"SIGHUB_HUB" placeholder:"ADDR" help:"The hub's address: host:port, tcp://host:port or unix:///path."`
}

// answerTime bounds what waits for the hub. It is longer than a hub waits for a sender's answer, so that the user
// reads what the hub has to say about it.
const answerTime = 15 * time.Second

// with connects to the hub and calls use. A hub that cannot be reached at first is an error; one that is lost
// later on is told of, and comes back by itself.
func (f *hubFlags) with(ctx context.Context, s *streams, name string, use func(context.Context, *hub.ClientRouter) error) error {
	addr, err := address.Parse(f.Hub)
	if err != nil {
		return usageError{fmt.Errorf("--hub %s: %w", f.Hub, err)}
	}
	failed := make(chan error, 1)
	client := addr.Connect(address.ClientOptions{
		Name: name,
		Failed: func(err error) {
			select {
			case failed <- err:
			default: // only the first try is waited for
			}
		},
	})
	connected := make(chan struct{})
	first := true
	router := hub.NewClientRouter(hub.ClientOptions{
		RequestTimeout: answerTime,
		Connected: func() {
			if first {
				first = false
				close(connected)
				return
			}
			s.note("the hub at %s is back", addr)
		},
		Disconnected: func(cause error) {
			if !errors.Is(cause, carrier.ErrShutdown) || ctx.Err() == nil {
				s.note("the hub at %s is gone (%s): trying to reach it again", addr, carrier.Reason(cause))
			}
		},
	})

	ctx, stop := context.WithCancel(ctx)
	var serving sync.WaitGroup
	serving.Go(func() { _ = router.Serve(ctx, client) }) // a client carrier never fails for good
	defer serving.Wait()
	defer stop()
	select {
	case <-connected:
		return use(ctx, router)
	case err := <-failed:
		return unreachable(addr, err)
	case <-ctx.Done():
		return errInterrupted
	}
}

// errInterrupted is told to a user who ended a command before it was done.
var errInterrupted = errors.New("interrupted")

func unreachable(addr address.Address, err error) error {
	what := "start it with `sighub run`, or name another with --hub or SIGHUB_HUB"
	var (
		errno syscall.Errno
		dns   *net.DNSError
	)
	switch {
	case errors.Is(err, syscall.EACCES):
		err, what = syscall.EACCES, "the hub's socket is not yours to write to: let its mode or group allow it, or run this as the hub's user"
	case errors.As(err, &errno):
		err = errno
	case errors.As(err, &dns):
		err, what = errors.New("no such host"), "check the name, or name another with --hub or SIGHUB_HUB"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		err = errors.New("no answer in time")
	default:
		err, what = errors.New(plainly(err.Error())), "check that it is a hub that listens there"
	}
	return fmt.Errorf("cannot reach the hub at %s: %w: %s", addr, err, what)
}
