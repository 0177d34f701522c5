package nats

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sighub/bridge"
	"sighub/carrier"
	"sighub/hub"
)

// A Bridge connects a hub to a stream of many hubs. It is a [carrier.Carrier], whose clients are the other hubs: the hub serves it with
// its other carriers. Make one with [New].
type Bridge struct {
	*bridge.State
	o       Options
	feed    *bridge.Feed // nil: nothing goes up
	journal string       // its name
	boot    string       // of this run
	ending  atomic.Bool  // the hub stops
	far     far
}

// New returns a Bridge that is not served yet. It fails if an option is wrong, or if another part of the hub has its cursor.
func New(o Options) (*Bridge, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &Bridge{o: o, boot: newBoot(), State: bridge.NewState(o.Name, "nats", where(o.URL))}
	b.far.init(b)
	return b, nil
}

// Attach gives the bridge the hub that it passes on, and its journal, before it is served.
func (b *Bridge) Attach(router *hub.ServerRouter) error {
	if b.o.Quiet || b.o.Journal == nil {
		return nil
	}
	f, err := bridge.Open(bridge.Options{
		Hub: router, Journal: b.o.Journal, Cursor: b.o.Name, Start: b.o.Start, Takes: b.o.Takes, First: b.o.First, Live: b.o.Live, Rate: b.o.Rate,
		Window: window, Bytes: windowBytes,
	})
	b.feed = f
	return err
}

// How much may be read from the journal and not be acknowledged.
const (
	window      = 8192
	windowBytes = 4 << 20
)

// Status implements [bridge.Bridge].
func (b *Bridge) Status() bridge.Status { return b.State.Status(b.feed) }

// Serve implements [carrier.Carrier].
func (b *Bridge) Serve(ctx context.Context, h carrier.Handler) error {
	if b.feed != nil {
		defer b.feed.Close() //nolint:errcheck // nothing was written
	}
	var others sync.WaitGroup
	b.far.serve(h)
	others.Go(func() { b.far.run(ctx) })
	defer context.AfterFunc(ctx, func() { b.ending.Store(true) })()
	pause := carrier.Backoff{Min: 200 * time.Millisecond, Max: 30 * time.Second}
	for ctx.Err() == nil {
		begun, sent := time.Now(), b.State.Status().Sent
		err := b.session(ctx)
		b.State.Disconnected()
		if ctx.Err() != nil {
			break
		}
		b.failed(err)
		// A server that ends each session, and two hubs of one name, which end each other's, are not tried several times a second.
		if time.Since(begun) > pause.Max || b.State.Status().Sent > sent && !errors.Is(err, errTwins) {
			pause.Reset()
		}
		_ = pause.Wait(ctx) // the loop looks at ctx
	}
	others.Wait()
	h.AllClientsDisconnected(carrier.ErrShutdown)
	return nil
}

// session connects, and does everything until something fails.
func (b *Bridge) session(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	conn, err := b.o.connect(ctx, func(err error) {
		if err == nil {
			err = nats.ErrConnectionClosed
		}
		cancel(fmt.Errorf("nats: the connection is lost: %w", err))
	})
	if err != nil {
		return fmt.Errorf("nats: cannot connect to %s: %w", where(b.o.URL), err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	st, err := b.o.openStream(ctx, js)
	if err != nil {
		if why := conn.LastError(); why != nil && errors.Is(err, nats.ErrConnectionClosed) {
			err = why
		}
		return err
	}
	b.State.Connected()
	b.o.Logger.Info("the bridge is connected", "bridge", b.o.Name, "server", conn.ConnectedUrlRedacted(), "stream", b.o.Stream.Name)
	var parts sync.WaitGroup
	part := func(run func(context.Context) error) {
		parts.Go(func() {
			if err := run(ctx); err != nil {
				cancel(err) // whatever it is, for a part that has ended is not there any more
			}
		})
	}
	if b.feed != nil {
		if b.journal == "" {
			if b.journal, err = nameJournal(ctx, b.o.Journal); err != nil {
				return err
			}
		}
		part(func(ctx context.Context) error { return b.goUp(ctx, conn, st, b.feed) })
	}
	b.far.conn.Store(conn)
	defer b.far.conn.Store(nil)
	part(func(ctx context.Context) error { return b.beat(ctx, conn) })
	part(func(ctx context.Context) error { return b.answerAsks(ctx, conn) })
	part(func(ctx context.Context) error { return b.goDown(ctx, st) })
	<-ctx.Done()
	parts.Wait()
	return context.Cause(ctx)
}

// failed notes an error, and logs it unless it is the same as before.
func (b *Bridge) failed(err error) {
	remedy := b.o.remedy(err)
	if b.State.Failed(err, remedy) {
		b.o.Logger.Warn("the bridge does not get on", "bridge", b.o.Name, "error", err, "remedy", remedy)
	}
}

// refused notes an event that the server does not take.
func (b *Bridge) refused(ev *bridge.Event, cause string) {
	b.State.Refused(1)
	b.o.Logger.Warn("an event cannot go up, and a gap is told instead", "bridge", b.o.Name, "sender", ev.Sender, "event", ev.Name, "cause", cause)
}
