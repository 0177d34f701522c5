package nats

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
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
	return b.visit(ctx, st, jetstream.ConsumerConfig{
		FilterSubjects: filters, DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy, HeadersOnly: headers,
	}, math.MaxUint64, visit)
}

// visit visits the messages that a consumer gets of those that the stream has now, but not more than most.
func (b *Bridge) visit(ctx context.Context, st jetstream.Stream, o jetstream.ConsumerConfig, most uint64, visit func(jetstream.Msg) error) error {
	asking, cancel := context.WithTimeout(ctx, b.o.Timeout)
	defer cancel()
	o.AckPolicy, o.MemoryStorage, o.Replicas, o.InactiveThreshold = jetstream.AckNonePolicy, true, 1, time.Minute
	c, err := st.CreateConsumer(asking, o)
	if err != nil {
		return fmt.Errorf("nats: the stream does not say what it has: %w", err)
	}
	name := c.CachedInfo().Name
	defer func() {
		asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = st.DeleteConsumer(asking, name) // else the server does, a minute later
	}()
	for left := min(c.CachedInfo().NumPending, most); left > 0; {
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
			most--
			left = 0
			if meta, err := m.Metadata(); err == nil {
				left = min(meta.NumPending, most)
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

// subjects matches the subjects of all messages of this hub.
func (b *Bridge) subjects() string { return b.o.Prefix + "." + token(b.o.Hub) + ".>" }

// mayBegin is how often in a row the stream may be further than it said. What was on its way on a connection before can cause that a few
// times.
const mayBegin = 3

// goUp passes events on until ctx is done or the connection is lost. What fails at the stream alone is tried again.
func (b *Bridge) goUp(ctx context.Context, conn *nats.Conn, st jetstream.Stream, f *bridge.Feed) error {
	pause := carrier.Backoff{Min: 100 * time.Millisecond, Max: 10 * time.Second}
	var from *standing
	passed := 0 // how often the stream was further
	for {
		var sent bool
		var err error
		if from == nil {
			from, err = b.begin(ctx, conn, st)
		}
		if err == nil {
			sent, err = b.publish(ctx, conn, st, f, *from)
		}
		var api *jetstream.APIError
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !errors.As(err, &api) && !errors.Is(err, errHole) && !errors.Is(err, errStuck), api != nil && api.ErrorCode == codeNoBatches:
			return err // the next session looks whether the stream can be used
		}
		code := jetstream.ErrorCode(0)
		if api != nil {
			code = api.ErrorCode
		}
		if sent {
			pause.Reset()
			passed = 0
		}
		if sent || code != codeTooManyAtOnce {
			from = nil
		}
		if code == codeNotLast || code == codeNotLastNow {
			passed++
		}
		quiet := code == codeTooManyAtOnce || code == codeUnknownBatch || passed > 0 && passed < mayBegin
		if !quiet {
			b.failed(err)
		}
		if err := pause.Wait(ctx); err != nil {
			return context.Cause(ctx)
		}
	}
}

// idle is how long a batch stays open while nothing comes.
const idle = 50 * time.Millisecond

// publish publishes events behind what the stream has, until something fails. It reports whether anything was stored.
func (b *Bridge) publish(ctx context.Context, conn *nats.Conn, st jetstream.Stream, f *bridge.Feed, from standing) (sent bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var stored atomic.Bool // the last answers may come while this ends
	p, err := newPublisher(conn, b.subjects(), from.latest, goneAfter*b.o.Timeout, func(r *reach) {
		if r.events > 0 {
			f.Stored(r.last)
			b.State.Sent(r.events)
			if !stored.Swap(true) && ctx.Err() == nil {
				b.State.Connected() // what was wrong with the stream is over
			}
		}
		for lane, upTo := range r.upTo {
			if !upTo.IsZero() {
				f.Acknowledge(lane, upTo)
			}
		}
	}, cancel)
	if err != nil {
		return false, err
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
	from.sent.Ahead = slices.Clone(from.sent.Ahead)
	u := upward{b: b, p: p, f: f, standing: from, w: newWriter(b.o.Prefix, b.o.Hub, b.journal, p.name), most: b.longest(conn, st)}
	if len(u.sent.Ahead) > 0 {
		u.passed = u.sent.End()
	}
	u.had = f.At()
	if !u.sent.UpTo.IsZero() && !u.has(f.Last()) { // not from the cursor on: the server has lost what it had acknowledged
		f.RewindTo(u.sent.UpTo)
	}
	f.Resume(&u.sent)
	err = u.run(ctx)
	cancel(err)
	looking.Wait()
	p.close()
	return stored.Load(), context.Cause(ctx) // what was first: it has ended the rest
}

// longest returns how many bytes a message may have, with its headers but for those of a guard.
func (b *Bridge) longest(conn *nats.Conn, st jetstream.Stream) int {
	most := int(conn.MaxPayload())
	if size := st.CachedInfo().Config.MaxMsgSize; size > 0 {
		most = min(most, int(size))
	}
	return most - guardSize - len(b.subjects())
}

// An upward is what publishes events with one publisher. Its standing is how far the hub is once all is stored that is on its way.
type upward struct {
	b *Bridge
	p *publisher
	f *bridge.Feed
	standing
	passed hub.Position // up to which events of any sender went ahead before
	had    hub.Position // up to which everything was acknowledged on a connection before
	told   bool         // that the stream has lost some of it
	w      *writer
	most   int

	list [256]bridge.Event
}

func (u *upward) run(ctx context.Context) error {
	for {
		n, err := u.next(ctx)
		if err != nil {
			return err
		}
		if u.firsts() > 0 {
			u.sent.Fill(u.f.At()) // else what goes first never says how far all others are, if they are silent
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
			late := u.note(ev)
			m, err := u.message(ev, late)
			if err != nil {
				return err
			}
			if err := u.p.publish(ctx, m, ev, i == last && !more); err != nil {
				return err
			}
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
	return u.sent.Has(ev.Position) || !u.known[ev.Sender].Before(ev.Position) || ev.Client != nil && strings.HasPrefix(ev.Client.Addr, scheme)
}

// note notes that an event is sent next, and reports whether it is late.
func (u *upward) note(ev *bridge.Event) (late bool) {
	if !u.told && !u.had.Before(ev.Position) {
		u.told = true
		u.b.o.Logger.Warn("the stream has lost events that it had acknowledged, as when its server loses power or is put back to an older copy: they go up again",
			"bridge", u.b.o.Name, "from", formatPosition(ev.Position), "to", formatPosition(u.had))
	}
	if ev.Lane < u.firsts() { // this says nothing of other senders
		return ev.Position.Before(u.passed) // it did not go first then
	}
	late = ev.Position.Before(u.sent.End())
	if !late && u.f.Late() {
		u.sent.Extend(ev.Position)
	} else {
		u.sent.Fill(ev.Position)
	}
	return late
}

// firsts returns how many lanes go first.
func (u *upward) firsts() int { return len(u.b.o.First) }

// message returns the message of an event; that of a gap if the server would not take the event. What is known of its sender is said again
// while that is ahead, for the message may take the place of the one that has said so.
func (u *upward) message(ev *bridge.Event, late bool) (*nats.Msg, error) {
	var sent *bridge.Sent
	own := u.known[ev.Sender]
	switch {
	case ev.Lane < u.firsts():
		sent, own = &u.sent, ev.Position
	case len(u.sent.Ahead) > 0:
		sent = &u.sent
	}
	if !u.sent.UpTo.Before(own) {
		own = hub.Position{}
	}
	m, err := u.w.message(ev, late, sent, own)
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
	return u.w.message(&gap, late, sent, own)
}
