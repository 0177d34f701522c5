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
	"sighub/internal/plain"
)

// hubFlags are the flags of every command that is a client of a hub.
type hubFlags struct {
	Hub string `default:"tcp://127.0.0.1:3000" env:"SIGHUB_HUB" placeholder:"ADDR" help:"The hub's address: host:port, tcp://host:port or unix:///path."`
}

// answerTime bounds the wait for an answer of the hub. It is longer than the hub waits for a sender, so that the user gets
// to read the hub's error.
const answerTime = 15 * time.Second

// with connects to the hub and calls use. It is an error if the hub cannot be reached at first. If the connection is lost
// later, the user is told, and it is made again.
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
			default: // only the first error is of interest
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
				s.note("the connection to the hub at %s is lost (%s): connecting again", addr, carrier.Reason(cause))
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

// errInterrupted is the error of a command that the user ended before it was done.
var errInterrupted = errors.New("interrupted")

func unreachable(addr address.Address, err error) error {
	what := "start it with `sighub run`, or name another with --hub or SIGHUB_HUB"
	var (
		errno syscall.Errno
		dns   *net.DNSError
	)
	switch {
	case errors.Is(err, syscall.EACCES):
		err, what = syscall.EACCES, "you may not write to the hub's socket: change its mode or group, or run this as the user that runs the hub"
	case errors.As(err, &errno):
		err = errno
	case errors.As(err, &dns):
		err, what = errors.New("no such host"), "check the name, or name another with --hub or SIGHUB_HUB"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		err = errors.New("no answer in time")
	default:
		err, what = errors.New(plain.Text(err.Error())), "check that a hub listens there"
	}
	return fmt.Errorf("cannot reach the hub at %s: %w: %s", addr, err, what)
}
