package nats

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sighub/bridge"
	"sighub/carrier"
	"sighub/hub"
)

// scheme begins the addresses of far hubs. What comes from there does not go up again.
const scheme = "nats://"

// lasts visits the last message of each subject that matches one of the filters.
func (b *Bridge) lasts(ctx context.Context, st jetstream.Stream, filters []string, headers bool, visit func(jetstream.Msg) error) error {
	asking, cancel := context.WithTimeout(ctx, b.o.Timeout)
	defer cancel()
	c, err := st.CreateConsumer(asking, jetstream.ConsumerConfig{
		FilterSubjects: filters, DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy, AckPolicy: jetstream.AckNonePolicy, HeadersOnly: headers,
		MemoryStorage: true, Replicas: 1, InactiveThreshold: time.Minute,
	})
	if err != nil {
		return fmt.Errorf("nats: the stream does not say what it has: %w", err)
	}
	name := c.CachedInfo().Name
	defer func() {
		asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = st.DeleteConsumer(asking, name) // else the server does, a minute later
	}()
	for left := c.CachedInfo().NumPending; left > 0; {
		some, err := c.Fetch(int(min(left, 500)), jetstream.FetchMaxWait(b.o.Timeout))
		if err != nil {
			return fmt.Errorf("nats: the stream does not say what it has: %w", err)
		}
		n := 0
		for m := range some.Messages() {
			if err := visit(m); err != nil {
				return err
			}
			n++
			left = 0
			if meta, err := m.Metadata(); err == nil {
				left = meta.NumPending
			}
		}
		if err := some.Error(); err != nil && n == 0 {
			return fmt.Errorf("nats: the stream does not say what it has: %w", err)
		}
		if n == 0 {
			return fmt.Errorf("nats: the stream does not say what it has: %w", nats.ErrTimeout)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// goUp passes events on until ctx is done or the connection is lost. What fails at the stream alone is tried again.
func (b *Bridge) goUp(ctx context.Context, conn *nats.Conn, st jetstream.Stream, f *bridge.Feed) error {
	pause := carrier.Backoff{Min: 100 * time.Millisecond, Max: 10 * time.Second}
	var known map[string]hub.Position
	kept := false
	for {
		var sent, untouched bool
		var err error
		if known == nil {
			kept, known, err = b.begin(ctx, conn, st)
		}
		if err == nil {
			sent, untouched, err = b.publish(ctx, conn, st, f, kept, known)
		}
		var api *jetstream.APIError
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !errors.As(err, &api) && !errors.Is(err, errHole) && !errors.Is(err, errStuck), api != nil && api.ErrorCode == codeNoBatches:
			return err // the next session looks whether the stream can be used
		}
		if sent {
			pause.Reset()
		}
		busy := api != nil && api.ErrorCode == codeTooManyAtOnce
		if !busy || !untouched {
			known = nil
		}
		if !busy && (api == nil || api.ErrorCode != codeUnknownBatch) {
			b.failed(err)
		}
		if err := pause.Wait(ctx); err != nil {
			return context.Cause(ctx)
		}
	}
}

// begin ends what is left of former connections, and then asks the stream what it has.
func (b *Bridge) begin(ctx context.Context, conn *nats.Conn, st jetstream.Stream) (kept bool, known map[string]hub.Position, err error) {
	if kept, err = b.endBatch(ctx, conn); err != nil {
		return false, nil, err
	}
	known, err = b.stored(ctx, st)
	return kept, known, err
}

// idle is how long a batch stays open while nothing comes.
const idle = 50 * time.Millisecond

// publish publishes events until something fails. It reports whether anything was stored, and whether of the last batch nothing was.
func (b *Bridge) publish(ctx context.Context, conn *nats.Conn, st jetstream.Stream, f *bridge.Feed, kept bool, known map[string]hub.Position) (
	sent, untouched bool, err error,
) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var stored atomic.Bool // the last answers may come while this ends
	p, err := newPublisher(conn, b.batch, goneAfter*b.o.Timeout, func(lane int, upTo hub.Position, n int) {
		f.Acknowledge(lane, upTo)
		b.State.Sent(n)
		if n > 0 && !stored.Swap(true) && ctx.Err() == nil {
			b.State.Connected() // what was wrong with the stream is over
		}
	}, cancel)
	if err != nil {
		return false, false, err
	}
	var looking sync.WaitGroup
	looking.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case now := <-tick.C:
				if err := p.look(now); err != nil {
					cancel(err)
				}
			case <-ctx.Done():
				return
			}
		}
	})
	f.Rewind()
	u := upward{b: b, p: p, f: f, kept: kept, known: known, w: newWriter(b.o.Prefix, b.o.Hub, b.journal), most: b.longest(conn, st)}
	err = u.run(ctx)
	cancel(err)
	looking.Wait()
	p.close()
	return stored.Load(), p.untouched(), context.Cause(ctx) // what was first: it has ended the rest
}

// longest returns how many bytes a message may have, with its headers.
func (b *Bridge) longest(conn *nats.Conn, st jetstream.Stream) int {
	most := int(conn.MaxPayload())
	if size := st.CachedInfo().Config.MaxMsgSize; size > 0 {
		most = min(most, int(size))
	}
	return most
}

// An upward is what publishes events with one publisher.
type upward struct {
	b     *Bridge
	p     *publisher
	f     *bridge.Feed
	kept  bool // the journal keeps the id of the batches
	known map[string]hub.Position
	w     *writer
	most  int
	sent  [bridge.MaxFirst + 1]int // messages of each lane, as far as it matters

	list [256]bridge.Event
}

func (u *upward) run(ctx context.Context) error {
	for {
		n, err := u.next(ctx)
		if err != nil {
			return err
		}
		last := -1
		for i := range u.list[:n] {
			if !u.skips(&u.list[i]) {
				last = i
			}
		}
		more := u.f.Waiting()
		for i := range u.list[:n] {
			ev := &u.list[i]
			if u.skips(ev) {
				u.p.pass(ev)
				continue
			}
			m, err := u.message(ev)
			if err != nil {
				return err
			}
			if err := u.p.publish(ctx, m, ev, i == last && !more); err != nil {
				return err
			}
			u.sent[ev.Lane] = min(u.sent[ev.Lane]+1, window)
		}
		clear(u.list[:n])
	}
}

// next reads some events. While a batch is open, it waits for a moment only; then it ends the batch, so that all of it is acknowledged.
func (u *upward) next(ctx context.Context) (int, error) {
	if u.p.open && u.p.lags(time.Now()) {
		if err := u.p.end(); err != nil {
			return 0, err
		}
	}
	if !u.p.open {
		return u.f.Next(ctx, u.list[:])
	}
	short, cancel := context.WithTimeout(ctx, idle)
	n, err := u.f.Next(short, u.list[:])
	cancel()
	if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
		return n, err
	}
	if err := u.p.end(); err != nil {
		return 0, err
	}
	return u.f.Next(ctx, u.list[:])
}

// skips reports whether an event is in the stream already, or comes from there.
func (u *upward) skips(ev *bridge.Event) bool {
	return !u.known[ev.Sender].Before(ev.Position) || ev.Client != nil && strings.HasPrefix(ev.Client.Addr, scheme)
}

// needsID reports whether the server must be able to tell whether it has the next message already: because it may be on its way still,
// on a connection before, or will be when this one breaks. No connection has more on its way than is read and not acknowledged, so that
// all of it is among what the next one sends first of each lane.
func (u *upward) needsID(lane int) bool { return !u.kept || u.sent[lane] < window || u.p.early() }

// message returns the message of an event; that of a gap if the server would not take the event.
func (u *upward) message(ev *bridge.Event) (*nats.Msg, error) {
	id := u.needsID(ev.Lane)
	m, err := u.w.message(ev, id)
	cause := "value"
	if err == nil {
		if u.w.size() <= u.most {
			return m, nil
		}
		cause = "size"
	}
	u.b.refused(ev, cause)
	gap := *ev
	gap.Name = hub.Gap
	gap.Data = carrier.ValueOf(hub.Loss{Count: 1, First: ev.Time.UTC(), Last: ev.Time.UTC(), Event: ev.Name, Cause: cause})
	return u.w.message(&gap, id)
}
