package nats

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sighub/bridge"
	"sighub/carrier"
	"sighub/hub"
	"sighub/internal/safetext"
)

// A moment orders the events of a sender: by its connection, and by the number in that.
type moment struct{ epoch, seq uint64 }

func (m moment) before(other moment) bool {
	return m.epoch < other.epoch || m.epoch == other.epoch && m.seq < other.seq
}

// A told is an event of another hub.
type told struct {
	place
	moment
	*entry
	journal           string       // of its hub; it shares memory with the message
	at                hub.Position // there; zero: the message does not say so
	sent              bridge.Sent  // what the stream has of the journal with it
	own               hub.Position // up to where it has all of the sender, if that is ahead
	data              []byte
	time, uncertainty int64
}

// errTooMany: what another hub has is more than this one keeps in mind.
var errTooMany = fmt.Errorf("nats: it has more than %d senders, or one of these more than %d events, or a name more than %d bytes", maxSenders, maxEvents,
	safetext.MaxName)

// fetchAtATime is how many messages the stream is asked for at a time.
const fetchAtATime = 500

// goDown hears the stream until ctx is done or something fails.
func (b *Bridge) goDown(ctx context.Context, st jetstream.Stream) error {
	if b.o.Hear == nil {
		return nil
	}
	f := &b.far
	info := st.CachedInfo()
	id := strconv.FormatInt(info.Created.UnixNano(), 36)
	from, missed, setBack, err := f.start(ctx, st, id, &info.State)
	if err != nil {
		return err
	}
	err = f.do(ctx, func() {
		if setBack {
			f.setBack()
		}
		f.keepFloor() // else the first run of all would leave no trace if it is short
	})
	if err != nil {
		return err
	}
	prefix := b.o.Prefix
	var filters []string
	for _, event := range []string{hub.Connect, hub.Disconnect} {
		subject := prefix + ".*.*.*." + event
		filters = append(filters, subject, subject+"."+lateToken)
	}
	err = b.lasts(ctx, st, filters, false, func(m jetstream.Msg) error {
		t, err := b.read(m)
		if err != nil {
			return nil //nolint:nilerr // somebody else's
		}
		return f.do(ctx, func() { f.learn(&t) })
	})
	if err != nil {
		return err
	}
	if missed > 0 {
		b.o.Logger.Warn("the stream has messages no more that this hub has not heard", "bridge", b.o.Name, "messages", missed)
		if err := f.do(ctx, func() { f.missed(from) }); err != nil {
			return err
		}
	}
	whole := slices.Equal(info.Config.Subjects, []string{prefix + ".>"}) // else the stream has numbers of others
	c, err := st.CreateConsumer(ctx, jetstream.ConsumerConfig{
		FilterSubjects: []string{prefix + ".>"}, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from + 1,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: time.Minute,
	})
	if err != nil {
		return fmt.Errorf("nats: the stream cannot be heard: %w", err)
	}
	messages, err := c.Messages(jetstream.PullMaxMessages(2*fetchAtATime), jetstream.PullHeartbeat(pingEach))
	if err != nil {
		return fmt.Errorf("nats: the stream cannot be heard: %w", err)
	}
	defer context.AfterFunc(ctx, messages.Stop)()
	defer messages.Stop()
	next := from
	for {
		batch, size, begun, hole := make([]told, 0, 64), 0, next+1, uint64(0)
		for more := true; more; {
			m, err := messages.Next()
			if err != nil {
				f.track.undo(begun)
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				return fmt.Errorf("nats: the stream is not heard any more: %w", err)
			}
			t, err := b.read(m)
			meta, bad := m.Metadata()
			if bad == nil && meta.Sequence.Stream <= next {
				bad = errors.New("they are not in order")
			}
			if bad != nil {
				f.track.undo(begun)
				return fmt.Errorf("nats: the server's messages are not understood: %w", bad)
			}
			if whole && meta.Sequence.Stream > next+1 {
				hole = meta.Sequence.Stream - 1
			}
			next = meta.Sequence.Stream
			if t.entry, bad = f.track.add(ctx, spotOf(meta)); bad != nil {
				f.track.undo(begun)
				return bad
			}
			if err != nil || t.hub == b.o.Hub {
				f.track.finish(t.entry)
			} else {
				batch, size = append(batch, t), size+len(t.data)
			}
			more = meta.NumPending > 0 && len(batch) < fetchAtATime && size < windowBytes
		}
		if len(batch) == 0 && hole == 0 {
			continue
		}
		err := f.do(ctx, func() {
			if hole > 0 {
				f.missed(hole)
			}
			f.take(batch)
		})
		if err != nil {
			f.track.undo(begun)
			return err
		}
	}
}

// start finds behind which message of the stream this hub goes on, and how many are missing there. What is under way since an earlier
// connection goes on.
func (f *far) start(ctx context.Context, st jetstream.Stream, id string, state *jetstream.StreamState) (from, missed uint64, setBack bool, err error) {
	known, _, last := f.track.at()
	if !isOf(known, id) && f.keeper != nil {
		if kept, at, _, ok := splitMark(f.keeper.State(f.markKey(""))); ok && isOf(kept, id) {
			known, last = kept, at
			f.track.begin(known, at)
		}
	}
	from = last.number
	if !isOf(known, id) {
		from = state.LastSeq
		f.track.begin(id, spot{number: from})
	} else if setBack, err = f.b.isSetBack(ctx, st, last, state); err != nil {
		return 0, 0, false, err
	}
	if setBack {
		if from, err = f.b.before(ctx, st, last.taken, state); err != nil {
			return 0, 0, false, err
		}
		f.b.o.Logger.Warn("the stream does not have the messages that this hub has heard last, as when it is put back to an older copy: what has come since is heard",
			"bridge", f.b.o.Name, "heard", last.number, "messages", state.LastSeq, "from", from+1)
		f.track.begin(id+again+strconv.FormatInt(time.Now().UnixNano(), 36), spot{number: from})
	}
	if first := state.FirstSeq; first > from+1 {
		return first - 1, first - from - 1, setBack, nil
	}
	return from, 0, setBack, nil
}

// isSetBack reports whether the stream does not have the message that was heard last: it ends before that number, or the number is now that of
// another message.
func (b *Bridge) isSetBack(ctx context.Context, st jetstream.Stream, last spot, state *jetstream.StreamState) (bool, error) {
	if last.number > state.LastSeq {
		return true, nil
	}
	if last.taken == 0 || last.number < state.FirstSeq {
		return false, nil
	}
	at, err := b.first(ctx, st, jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: last.number})
	return at.number == last.number && at.taken != last.taken, err
}

// before returns the number of the message in front of the first one that the stream has taken after a time.
func (b *Bridge) before(ctx context.Context, st jetstream.Stream, taken int64, state *jetstream.StreamState) (uint64, error) {
	if taken == 0 {
		return state.LastSeq, nil
	}
	since := time.Unix(0, taken+1)
	at, err := b.first(ctx, st, jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &since})
	if err != nil || at.number == 0 {
		return state.LastSeq, err
	}
	return at.number - 1, nil
}

// first returns where the first message of a consumer is; the zero spot if it has none.
func (b *Bridge) first(ctx context.Context, st jetstream.Stream, o jetstream.ConsumerConfig) (at spot, err error) {
	o.FilterSubjects, o.HeadersOnly = []string{b.o.Prefix + ".>"}, true
	err = b.visit(ctx, st, o, 1, func(m jetstream.Msg) error {
		meta, err := m.Metadata()
		if err == nil {
			at = spotOf(meta)
		}
		return err
	})
	return at, err
}

// setBack notes that the stream gives numbers again.
func (f *far) setBack() {
	f.hole = 0
	for _, h := range f.hubs {
		h.mark = 0
	}
}

// read reads a message of the stream.
func (b *Bridge) read(m jetstream.Msg) (t told, err error) {
	if t.place, err = parseSubject(b.o.Prefix, m.Subject()); err != nil {
		return t, err
	}
	head := m.Headers()
	if at, err := time.Parse(time.RFC3339Nano, head.Get(HeaderTime)); err == nil {
		if t.time = at.UnixNano(); !carrier.Tellable(at) {
			t.time = 0
		}
	}
	if n, err := strconv.ParseInt(head.Get(HeaderUncertainty), 10, 64); err == nil {
		t.uncertainty = max(n, 0)
	}
	if at, err := parsePosition(head.Get(HeaderPosition)); err == nil {
		if sent, own, err := sentWith(head, at); err == nil && len(head.Get(HeaderJournal)) <= maxJournal {
			t.journal, t.at, t.sent, t.own = head.Get(HeaderJournal), at, sent, own
		}
	}
	t.data = m.Data()
	if meta, err := m.Metadata(); err == nil {
		t.entry = &entry{spot: spotOf(meta)}
		t.moment.seq = meta.Sequence.Stream
	}
	epoch, err := strconv.ParseUint(head.Get(HeaderEpoch), 10, 64)
	seq, err2 := strconv.ParseUint(head.Get(HeaderSeq), 10, 64)
	if err == nil && err2 == nil { // else somebody else has written it, and its place in the stream says when
		t.moment = moment{epoch, seq}
	}
	return t, nil
}

// learn takes what the stream says last of a sender, before anything else of it is heard.
func (f *far) learn(t *told) {
	h := f.find(t.hub)
	if h == nil || t.sender == "" {
		return
	}
	s := f.sender(h, t.sender)
	if s == nil || !s.at.before(t.moment) {
		return
	}
	s.at, s.connected = t.moment, t.event == hub.Connect
	f.learnOf(h, s, t.data)
	if h.id != 0 && s.connected && !s.registered {
		f.register(h, t.sender, s)
	}
}

// sender returns a sender of a hub; nil if there are too many, or no sender can have that name.
func (f *far) sender(h *farHub, name string) *farSender {
	s := h.senders[name]
	if s == nil && len(h.senders) < maxSenders && len(name) <= safetext.MaxName && f.charge(h, nameCost+len(name)) {
		s = new(farSender)
		h.senders[name] = s
	}
	return s
}

// longestConnection bounds what a sender may tell of itself, in bytes.
const longestConnection = 256 << 10

// learnOf reads what a sender has told of itself. It stays as it was if that is too much.
func (f *far) learnOf(h *farHub, s *farSender, data []byte) {
	var c hub.Connection
	if len(data) > longestConnection || carrier.CheckValue(carrier.JSON, data) != nil || carrier.RawValue(carrier.JSON, data).Decode(&c) != nil {
		return
	}
	if f.charge(h, len(data)-s.learned) {
		s.Connection, s.learned = c, len(data)
	}
}

// take takes events of other hubs.
func (f *far) take(batch []told) {
	var touched []*farHub
	for i := range batch {
		t := &batch[i]
		h := f.find(t.hub)
		if h == nil || t.number <= h.mark { // or an earlier run has them on record
			f.track.finish(t.entry)
			continue
		}
		f.alive(h)
		if !slices.Contains(touched, h) {
			touched = append(touched, h)
		}
		f.takeOne(h, t)
	}
	for _, h := range touched {
		f.flush(h)
		for name, s := range h.left {
			if !s.connected {
				f.unregister(h, name, s)
			}
		}
		clear(h.left)
	}
}

// takeOne takes an event of a hub that is there.
func (f *far) takeOne(h *farHub, t *told) {
	presence := t.event == hub.Connect || t.event == hub.Disconnect
	again := h.record.has(t) // the stream had lost it
	if again && !presence {
		f.track.finish(t.entry)
		return
	}
	defer func() {
		if h.record.add(t); h.size >= frameBytes {
			f.flush(h)
		}
	}()
	if t.sender == "" {
		f.gapOfAll(h, t)
		return
	}
	s := f.sender(h, t.sender)
	if s == nil {
		f.refused(h, t.sender, errTooMany)
		f.track.finish(t.entry)
		return
	}
	if presence {
		f.takePresence(h, s, t, again)
	} else {
		f.takeSignal(h, s, t)
	}
}

// takePresence takes a #connect or #disconnect. What is late, or was heard before, changes nothing if something newer is known of the sender;
// but the #connect of the connection that it still has says what the sender is.
func (f *far) takePresence(h *farHub, s *farSender, t *told, again bool) {
	connect := t.event == hub.Connect
	learned, before := s.at == t.moment && s.registered == s.connected, s.Connection
	passed := (t.late || again) && t.moment.before(s.at)
	if !t.moment.before(s.at) { // else the latest is known already, and this one was before
		s.at, s.connected = t.moment, connect
		f.learnOf(h, s, t.data)
	} else if passed && connect && t.epoch == s.at.epoch && s.connected {
		f.learnOf(h, s, t.data)
	}
	if learned || passed && reflect.DeepEqual(s.Connection, before) {
		f.track.finish(t.entry)
		return
	}
	f.flush(h)
	f.unregister(h, t.sender, s)
	if connect {
		f.register(h, t.sender, s)
	}
	f.track.finish(t.entry)
}

// takeSignal takes any other event. The sender is there for it; if it has gone since, it is gone again when the hub has that event.
func (f *far) takeSignal(h *farHub, s *farSender, t *told) {
	if t.event != hub.Gap && !slices.Contains(s.Events, t.event) {
		if len(s.Events) >= maxEvents || len(t.event) > safetext.MaxName || !f.charge(h, nameCost+len(t.event)) {
			f.refused(h, t.sender, errTooMany)
			f.track.finish(t.entry)
			return
		}
		f.flush(h)
		f.unregister(h, t.sender, s)
		s.Events, s.learned = append(slices.Clone(s.Events), t.event), s.learned+nameCost+len(t.event)
	}
	if !s.registered {
		f.register(h, t.sender, s)
	}
	h.add(t.sender, t.event, t)
	if !t.late && s.at.before(t.moment) {
		s.at, s.connected = t.moment, true
	}
	if t.late && !s.connected && s.at != (moment{}) {
		h.left[t.sender] = s
	}
}

// add adds a signal to those that the hub is given together.
func (h *farHub) add(sender, event string, t *told) {
	key := [2]string{sender, event}
	route := h.routes[key]
	if route == nil {
		route = &carrier.Route{Sender: sender, Event: event}
		h.routes[key] = route
	}
	s := carrier.Signal{Route: route, Time: t.time, Uncertainty: t.uncertainty, Data: carrier.RawValue(carrier.JSON, t.data)}
	if err := carrier.CheckValue(carrier.JSON, t.data); err != nil {
		s.Data, s.Err = carrier.Value{}, err
	}
	h.signals = append(h.signals, s)
	h.entries = append(h.entries, t.entry)
	h.size += len(t.data)
}

// gapOfAll tells the listeners of all senders of a hub that events were lost, some of which may have been theirs.
func (f *far) gapOfAll(h *farHub, t *told) {
	n := 0
	for name, s := range h.senders {
		if s.registered {
			h.add(name, hub.Gap, t)
			n++
		}
	}
	if n == 0 {
		f.track.finish(t.entry)
	}
}

// missed notes that the stream does not have messages up to a number that were not heard, which may have been of any hub.
func (f *far) missed(upTo uint64) {
	f.hole = upTo
	for _, h := range f.hubs {
		h.missed = true
		f.tellMissed(h)
	}
}

// tellMissed tells the listeners of all senders of a hub that events were missed, as soon as some of these are there.
func (f *far) tellMissed(h *farHub) {
	if !h.missed || h.id == 0 {
		return
	}
	now := time.Now().UTC()
	data, err := carrier.ValueOf(hub.Loss{First: now, Last: now, Cause: "journal"}).AppendTo(nil, carrier.JSON)
	if err != nil {
		return // it can always be told
	}
	f.gapOfAll(h, &told{entry: new(entry), data: data, time: now.UnixNano()})
	if len(h.signals) > 0 {
		h.missed = false
	}
	f.flush(h)
}

// frameBytes is how much data the hub is given together, about: a small journal has no room for more at a time.
const frameBytes = 32 << 10

// flush gives the hub the signals of another one that came together.
func (f *far) flush(h *farHub) {
	if len(h.signals) == 0 {
		return
	}
	signals, entries := h.signals, h.entries
	h.signals, h.entries, h.size = nil, nil, 0
	for _, e := range entries {
		h.mark = max(h.mark, e.number)
	}
	state := h.record.append(formatMark(f.track.stream(), spot{number: h.mark}))
	fr := &frame{far: f, entries: entries, left: len(signals), key: f.markKey(h.name), state: state}
	f.handler.HandleSignals(h.id, signals, fr)
}
