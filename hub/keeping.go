package hub

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"time"

	"sighub/carrier"
	"sighub/hub/internal/receipts"
	"sighub/internal/lockrank"
	"sighub/journal"
)

// A keeping is what a ServerRouter does with its journal.
type keeping struct {
	*journal.Journal
	keeps func(sender, event string) bool
	early time.Duration
	book  *receipts.Book
	own   receipts.Receipts // of marks that are no client's
	*feeding

	failing atomic.Bool // what is answered is not on disk
	unsure  time.Time   // until then, what an earlier run has answered may not be on disk

	mu        lockrank.Mutex[lockrank.Leaf]
	producers map[string]*producer
}

func newKeeping(o *ServerOptions) *keeping {
	if o.Journal == nil {
		return nil
	}
	k := &keeping{
		Journal: o.Journal, keeps: o.Keeps, early: o.AckEarly,
		book: receipts.NewBook(), producers: make(map[string]*producer), feeding: newFeeding(o.Journal),
	}
	if k.keeps == nil {
		k.keeps = func(string, string) bool { return true }
	}
	k.own.Book = k.book
	if k.early > 0 && k.Interrupted() {
		k.unsure = time.Now().Add(unsureFor)
	}
	return k
}

// unsureFor is how long after a start the states of devices are in doubt, if an earlier run was killed that may have answered early:
// until those have connected that are there.
const unsureFor = 10 * time.Second

// serve commits until ctx is done, and then what waits.
func (k *keeping) serve(ctx context.Context) error {
	answering, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.book.Serve(answering)
	}()
	err := k.Journal.Serve(ctx, func(upTo journal.Ticket, durable bool) {
		k.failing.Store(!durable)
		if durable || ctx.Err() == nil {
			k.book.End(upTo, k.Oldest().IsZero()) // else the disk should not wait
		}
		k.commits.Happened()
	})
	stop()
	<-done
	return err
}

// roomFor returns a channel that is closed when the journal takes more; nil if it does so now. k may be nil.
func (k *keeping) roomFor() <-chan struct{} {
	if k == nil {
		return nil
	}
	return k.Room()
}

// waitForRoom waits until the journal takes more, unless ctx is done. k may be nil.
func (k *keeping) waitForRoom(ctx context.Context) {
	for room := k.roomFor(); room != nil; room = k.roomFor() {
		select {
		case <-room:
		case <-ctx.Done():
			return
		}
	}
}

// keep adds the event of a delivery to what whoever delivers it gives to the journal.
func (d *delivery) keep() {
	s := d.signal.sender
	k := s.topic.router.journal
	if d.fanout == nil {
		d.fanout = s.topic.router.newFanout()
	}
	f := d.fanout
	if f.group == nil {
		f.group = k.NewGroup()
	}
	if !d.grouped && k.Room() != nil { // this goroutine may be a callback's, which must not wait for the disk
		s.unkept.add(d.event.Time, causeJournal)
		return
	}
	if s.unkept.Count > 0 {
		gap := Event{Name: Gap, Time: d.event.Time, Data: carrier.ValueOf(s.unkept)}
		s.unkept = Loss{}
		_ = f.add(s, &gap)
	}
	if err := f.add(s, &d.event); err != nil {
		s.unkept.add(d.event.Time, carrier.Cause(err))
	}
}

// add adds an event to the group.
func (f *fanout) add(s *Sender, ev *Event) (err error) {
	e := journal.Event{
		Topic: journal.Topic{Sender: s.name, Event: ev.Name}, Connection: s.connection, Seq: ev.Seq,
		Uncertainty: int64(ev.Uncertainty),
	}
	if tellable(ev.Time) {
		e.Time = ev.Time.UnixNano()
	}
	codec := carrier.CBORText
	if c := ev.Data.Encoding(); c != nil && c.Name() == carrier.JSON.Name() {
		codec, e.JSON = carrier.JSON, true
	}
	f.scratch, err = ev.Data.AppendTo(f.scratch[:0], codec)
	e.Data = f.scratch
	if err != nil {
		return err
	}
	if f.groups == nil {
		f.groups = &s.topic.router.journal.groups
		f.generation = f.groups.Begin()
	}
	f.group.Add(e)
	return nil
}

// append gives what was added to the next commit. f may be nil.
func (f *fanout) append(within time.Duration) journal.Ticket {
	if f == nil || f.group == nil {
		return 0
	}
	ticket := f.group.Append(within)
	f.groupEnded()
	return ticket
}

// leave gives what was added to a commit for which nobody waits. f may be nil.
func (f *fanout) leave() {
	if f == nil || f.group == nil {
		return
	}
	f.group.AppendUnawaited()
	f.groupEnded()
}

// done answers the next n signals of a frame as done: see settle.
func (c *client) done(answers carrier.Answers, n int) {
	if c.server.journal == nil {
		answers.Done(n)
		return
	}
	c.receipts.Done(answers, n)
}

// fail answers the next signal of a frame as not done: see settle.
func (c *client) fail(answers carrier.Answers, err error) {
	if c.server.journal == nil {
		answers.Fail(carrier.Failed(err))
		return
	}
	c.receipts.Fail(answers, carrier.Failed(err))
}

// progress has the answers given, so far, to a frame of which there is more. One that belongs to a mark is kept as a whole.
func (c *client) progress(answers carrier.Answers) {
	if _, ok := answers.(carrier.Marked); !ok {
		c.settle(answers)
	}
}

// promptly is how long the sender of a message can wait for its answer: it may do nothing else meanwhile.
const promptly = time.Millisecond

// settle gives what the signals of a frame have left to the next commit of the journal, with the frame's mark. They are answered
// when it is on disk; or at once, if there is nothing to be kept.
func (c *client) settle(answers carrier.Answers) {
	k := c.server.journal
	if k == nil {
		return
	}
	f := c.signals.fan()
	var within time.Duration
	if _, ok := answers.(messageAnswer); ok {
		within = promptly
	}
	if m, ok := answers.(carrier.Marked); ok {
		mark := m.Mark()
		within = mark.Within
		f.mark(k, mark)
	}
	for _, p := range c.signals.produced {
		f.mark(k, p.mark())
	}
	early := k.early > 0 && !k.late()
	if early {
		within = 0
	}
	ticket := max(f.append(within), c.signals.again)
	for _, p := range c.signals.produced {
		p.ticket = ticket
	}
	c.signals.produced, c.signals.again = c.signals.produced[:0], 0
	if early {
		ticket = 0
	}
	c.receipts.Settle(ticket)
}

// mark adds a mark to what was added.
func (f *fanout) mark(k *keeping, m carrier.Mark) {
	if f.group == nil {
		f.group = k.NewGroup()
	}
	f.group.Mark(m.Key, m.State)
}

// late reports whether something has waited for its commit for longer than is acknowledged early.
func (k *keeping) late() bool {
	oldest := k.Oldest()
	return !oldest.IsZero() && time.Since(oldest) > k.early
}

// abandon settles a frame that is not answered as a whole. If it belongs to a mark, nothing of it is kept, because it comes again.
func (c *client) abandon(answers carrier.Answers) {
	if _, ok := answers.(carrier.Marked); !ok {
		c.settle(answers)
		return
	}
	if f := c.signals.fan(); f.group != nil {
		f.group.Discard()
		f.groupEnded()
	}
	c.receipts.Drop()
}

// A markedAnswer answers the one signal of a message that belongs to a mark.
type markedAnswer struct {
	messageAnswer
	mark carrier.Mark
}

// Mark implements carrier.Marked.
func (a markedAnswer) Mark() carrier.Mark { return a.mark }

// marked keeps the mark of a message in its turn, and returns a respond that waits until it is on disk.
func (c *client) marked(m carrier.Mark, respond func(carrier.Reply)) func(carrier.Reply) {
	if c.server.journal == nil {
		return respond
	}
	r := &markedReply{client: c, respond: respond}
	if c.signals.afterWaiting.Idle() {
		r.keep(m)
	} else {
		c.signals.afterWaiting.Do(func() { r.keep(m) }) // after the signals that were sent before
	}
	return r.reply
}

// A markedReply is a reply that waits for a mark.
type markedReply struct {
	client  *client
	respond func(carrier.Reply)

	mu     lockrank.Mutex[lockrank.Leaf]
	kept   bool
	ticket journal.Ticket
	early  *carrier.Reply // that came before the mark was kept
}

func (r *markedReply) keep(m carrier.Mark) {
	if r.client.signals.unanswered { // the state is that of a device to which what came before is answered, too
		return
	}
	ticket := r.client.server.journal.mark(m)
	r.mu.Lock()
	r.kept, r.ticket = true, ticket
	early := r.early
	r.mu.Unlock()
	if early != nil {
		r.reply(*early)
	}
}

func (r *markedReply) reply(reply carrier.Reply) {
	r.mu.Lock()
	if !r.kept {
		r.early = &reply
		r.mu.Unlock()
		return
	}
	r.mu.Unlock()
	r.client.receipts.After(r.ticket, func() { r.respond(reply) })
}

// mark gives a mark to the next commit.
func (k *keeping) mark(m carrier.Mark) journal.Ticket {
	group := k.NewGroup()
	group.Mark(m.Key, m.State)
	return group.Append(m.Within)
}

// A keepingHandler is the carrierHandler of a router with a journal.
type keepingHandler struct{ *carrierHandler }

// State implements carrier.Keeper.
func (h keepingHandler) State(key string) []byte { return h.server.journal.State(key) }

// Keep implements carrier.Keeper.
func (h keepingHandler) Keep(id carrier.ClientID, m carrier.Mark, then func()) {
	c := h.client(id)
	if c == nil {
		k := h.server.journal
		k.own.After(k.mark(m), then)
		return
	}
	c.work.Do(func() { c.marked(m, func(carrier.Reply) { then() })(carrier.Reply{}) })
}

// Doubtful implements carrier.Doubter.
func (h keepingHandler) Doubtful() bool {
	k := h.server.journal
	return k.failing.Load() || !k.unsure.IsZero() && time.Now().Before(k.unsure)
}

// sync commits what waits, and returns when it is on disk or after a time. k may be nil.
func (k *keeping) sync(most time.Duration) {
	if k == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	_ = k.Sync(ctx) // what fails is told by whoever commits, and is not acknowledged
}

// A producer is a program that numbers what it sends. What it sends again is not recorded again.
type producer struct {
	name   string
	last   uint64         // number on record, or on its way there
	ticket journal.Ticket // of the commit with that
	owner  *client
}

const (
	producerKey     = "producer/"
	maxProducers    = 1024 // that are connected, or whose latest number is on its way to the disk
	longestProducer = 64   // bytes of a name: the journal keeps it
)

// produce returns the producer of that name, whose owner the client then is.
func (c *client) produce(name string) (*producer, error) {
	k := c.server.journal
	if k == nil {
		return nil, fmt.Errorf("%w: the hub keeps no journal, so it does not remember what producer %s has sent", ErrArguments, name)
	}
	if err := checkName("producer", name); err != nil {
		return nil, err
	}
	if len(name) > longestProducer {
		return nil, fmt.Errorf("%w: the name of a producer has at most %d bytes", ErrName, longestProducer)
	}
	for {
		p, owner, err := k.producer(name, c)
		if owner == nil {
			return p, err
		}
		if !c.outlives(owner) {
			err := fmt.Errorf("%w: producer %s", ErrExists, name)
			if c.isAdmin() {
				err = fmt.Errorf("%w, by %s", err, owner.info)
			}
			return nil, err
		}
	}
}

// producer returns the producer of that name for a client; or its owner, if that is another one that has not left yet.
func (k *keeping) producer(name string, c *client) (p *producer, owner *client, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p = k.producers[name]
	if p == nil {
		if len(k.producers) >= maxProducers && !k.forgetProducer() {
			return nil, nil, fmt.Errorf("%w: %d producers are connected", carrier.ErrLimit, maxProducers)
		}
		p = &producer{name: name}
		p.last, _ = binary.Uvarint(k.State(producerKey + name))
		k.producers[name] = p
	}
	if owner = p.owner; owner != nil && owner != c {
		if !owner.left.Load() {
			return nil, owner, nil
		}
	}
	p.owner = c
	return p, nil, nil
}

// forgetProducer drops a producer that has gone and whose number is on disk, where it is found again. It reports whether there was
// one. The lock is held.
func (k *keeping) forgetProducer() bool {
	for name, p := range k.producers {
		if p.owner.left.Load() && k.book.Ended(p.ticket) {
			delete(k.producers, name)
			return true
		}
	}
	return false
}

// mark returns what is kept of the producer.
func (p *producer) mark() carrier.Mark {
	return carrier.Mark{Key: producerKey + p.name, State: binary.AppendUvarint(nil, p.last)}
}
