package nats

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sighub/bridge"
	"sighub/hub"
	"sighub/internal/lockrank"
)

// A batch of the kind that the server calls fast is a row of messages that have numbers. The server stores each only behind the one before
// it, and acknowledges many of them at a time. What a message is in its batch stands in its reply subject:
//
//	<inbox>.<batch>.<messages for each acknowledgement>.fail.<number>.<operation>.$FI
//
// All batches of a publisher have one id, as there is one at a time; the inbox tells their answers apart. The first message of each has a
// guard: see [Bridge.begin].
//
// The source is "Fast-ingest batch publishing", ADR-50 of github.com/nats-io/nats-architecture-and-design.

// Operations of messages.
const (
	opStart  = "0"
	opAppend = "1"
	opCommit = "2" // the last message, which is stored
	opEnd    = "3" // behind the last message
	opPing   = "4" // asks for acknowledgements again
)

// How many messages may be on their way: some for the server to begin with, and then a multiple of what it acknowledges at a time.
const (
	firstWindow   = 200
	windowOf      = 4
	acknowledgeAt = "500"
)

// askAfter is how long nothing may be heard before the server is asked.
const askAfter = 2 * time.Second

// endAfter is how long nothing may be acknowledged before a batch is ended, at which the server acknowledges all of it. Else a few events
// a second would wait until there are as many as the server acknowledges at a time.
const endAfter = time.Second

// goneAfter is after how long, in times of Options.Timeout, a server that says nothing, or stores nothing, is not waited for any more.
const goneAfter = 3

// An answer is what the server says of a batch.
type answer struct {
	Type     string              `json:"type"` // ack, gap, err; empty: the end of the batch, or its failure
	Sequence uint64              `json:"seq"`
	Messages uint64              `json:"msgs"`
	Count    uint64              `json:"count"`
	Error    *jetstream.APIError `json:"error"`
}

func readAnswer(data []byte) (a answer, err error) {
	if err := json.Unmarshal(data, &a); err != nil {
		return a, fmt.Errorf("nats: the server's answer is not understood: %w", err)
	}
	return a, nil
}

// errStuck: the server has taken messages and answers, but it neither stores nor refuses them. nats-server does so when its disk is full.
var errStuck = errors.New("nats: the server takes events and does not store them")

// errNoStream: nothing at the server takes what is published. The stream was removed, or has no leader for the moment.
var errNoStream = fmt.Errorf("nats: no stream takes the events: %w", nats.ErrNoResponders)

// errHole: the server has not stored a message, and so none behind it.
var errHole = errors.New("nats: the server has lost messages of a batch")

// A publisher publishes in batches, one at a time. Its methods are for one goroutine, but for answered and look.
type publisher struct {
	conn         *nats.Conn
	inbox        string
	name         string // the id of all its batches
	subjects     string // of all messages of the hub
	sub          *nats.Subscription
	acknowledged func(*reach)
	fail         func(error)
	patience     time.Duration // with the server

	open    bool   // there is a batch
	batches uint64 // how many there were
	reply   []byte // the beginning of its reply subjects

	mu     lockrank.Mutex[lockrank.Leaf]
	batch  string // how the subjects of answers begin
	about  string // the subject of a message of the batch
	sent   uint64 // messages of it
	acked  uint64
	latest uint64 // the number of the hub's last message in the stream, when there is no batch
	window uint64
	ending bool // its last message was sent
	err    error
	heard  time.Time // when something was heard, or nothing was awaited
	moved  time.Time // when something was acknowledged, or nothing was awaited
	queue  []waiting // in order
	change chan struct{}
}

// A waiting is an event that is not acknowledged.
type waiting struct {
	number uint64 // acknowledged with this message
	at     hub.Position
	lane   int
	stored bool // it was sent
}

// A reach is how far what is acknowledged reaches in each lane, how many events of it were sent, and where the last one of these is.
type reach struct {
	upTo   [bridge.MaxLanes]hub.Position
	events int
	last   hub.Position
}

// newPublisher returns a publisher that begins behind a message of the stream, the last one of the hub, which has such subjects.
func newPublisher(conn *nats.Conn, subjects string, latest uint64, patience time.Duration, acknowledged func(*reach), fail func(error)) (*publisher, error) {
	p := &publisher{
		conn: conn, inbox: nats.NewInbox(), name: rand.Text()[:10], subjects: subjects, latest: latest, patience: patience,
		acknowledged: acknowledged, fail: fail, change: make(chan struct{}, 1),
	}
	var err error
	p.sub, err = conn.Subscribe(p.inbox+".>", func(m *nats.Msg) { p.answered(m.Subject, m.Data) })
	return p, err
}

func (p *publisher) close() { _ = p.sub.Unsubscribe() } // it may be closed already

// pass notes an event that need not be sent.
func (p *publisher) pass(ev *bridge.Event) {
	p.mu.Lock()
	p.queue = append(p.queue, waiting{p.sent, ev.Position, ev.Lane, false})
	r := p.done()
	p.mu.Unlock()
	p.acknowledged(&r)
}

// done takes what is acknowledged off the queue. The lock is held.
func (p *publisher) done() (r reach) {
	i := 0
	for ; i < len(p.queue) && p.queue[i].number <= p.acked; i++ {
		w := &p.queue[i]
		if r.upTo[w.lane] = w.at; w.stored {
			r.events++
			r.last = w.at
		}
	}
	if p.queue = p.queue[i:]; len(p.queue) == 0 {
		p.queue = nil
	}
	return r
}

// publish publishes the message of an event. It waits for room. If last is true, nothing more is to be sent for the moment.
func (p *publisher) publish(ctx context.Context, m *nats.Msg, ev *bridge.Event, last bool) error {
	if !p.open {
		if err := p.begin(ctx, m); err != nil {
			return err
		}
	}
	number, err := p.room(ctx, ev)
	if err != nil {
		return err
	}
	op := opAppend
	switch {
	case last:
		op = opCommit
	case number == 1:
		op = opStart
	}
	return p.send(m, number, op)
}

// send sends a message as the one of that number.
func (p *publisher) send(m *nats.Msg, number uint64, op string) error {
	n := len(p.reply)
	p.reply = append(strconv.AppendUint(p.reply, number, 10), '.')
	p.reply = append(append(p.reply, op...), ".$FI"...)
	m.Reply = string(p.reply)
	p.reply = p.reply[:n]
	if op == opCommit || op == opEnd {
		p.open = false
		p.mu.Lock()
		p.ending = true
		p.mu.Unlock()
	}
	return p.conn.PublishMsg(m)
}

// begin begins a batch with a message, when the one before it has ended.
func (p *publisher) begin(ctx context.Context, m *nats.Msg) error {
	if err := p.await(ctx, func() bool { return !p.ending }); err != nil {
		return err
	}
	p.open = true
	p.batches++
	batch := p.inbox + "." + strconv.FormatUint(p.batches, 10) + "."
	p.reply = append(p.reply[:0], batch+p.name+"."+acknowledgeAt+".fail."...)
	p.mu.Lock()
	defer p.mu.Unlock()
	guard(m, p.subjects, p.latest)
	p.batch, p.about, p.sent, p.acked, p.window = batch, m.Subject, 0, 0, firstWindow
	p.heard = time.Now()
	p.moved = p.heard
	return p.err
}

// room waits until one more message may be on its way, and returns its number.
func (p *publisher) room(ctx context.Context, ev *bridge.Event) (number uint64, err error) {
	err = p.await(ctx, func() bool {
		if p.sent-p.acked >= p.window {
			return false
		}
		if p.sent == p.acked {
			p.heard = time.Now()
			p.moved = p.heard
		}
		p.sent++
		p.queue = append(p.queue, waiting{p.sent, ev.Position, ev.Lane, true})
		number = p.sent
		return true
	})
	return number, err
}

// await waits until something is so, which is looked at under the lock.
func (p *publisher) await(ctx context.Context, is func() bool) error {
	for {
		p.mu.Lock()
		err := p.err
		ok := err == nil && is()
		p.mu.Unlock()
		if ok || err != nil {
			return err
		}
		select {
		case <-p.change:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// end ends the open batch. Without one it does nothing.
func (p *publisher) end() error {
	if !p.open {
		return nil
	}
	p.mu.Lock()
	number, about := p.sent+1, p.about
	p.mu.Unlock()
	return p.send(&nats.Msg{Subject: about}, number, opEnd)
}

// answered takes an answer of the server.
func (p *publisher) answered(subject string, data []byte) {
	if len(data) == 0 { // the server says that nobody has heard a message
		p.fail(errNoStream)
		return
	}
	a, err := readAnswer(data)
	if err != nil {
		p.fail(err)
		return
	}
	p.mu.Lock()
	if p.batch == "" || !strings.HasPrefix(subject, p.batch) {
		p.mu.Unlock()
		return // of a batch before
	}
	p.heard = time.Now()
	failed, acked := p.err, p.acked
	switch {
	case a.Type == "ack":
		p.acked = max(p.acked, min(a.Sequence, p.sent))
		if a.Messages > 0 {
			p.window = max(a.Messages*windowOf, 2)
		}
	case a.Error != nil && p.err == nil:
		p.err = a.Error
	case a.Type == "gap" && p.err == nil:
		p.err = errHole
	case a.Type == "":
		p.acked = max(p.acked, min(a.Count, p.sent))
		if p.acked < p.sent && p.err == nil {
			p.err = errHole
		}
		p.ending, p.latest = false, a.Sequence
	}
	if p.acked > acked || !p.ending && a.Type == "" {
		p.moved = p.heard
	}
	r := p.done()
	err = p.err
	p.mu.Unlock()
	p.acknowledged(&r)
	if err != nil && failed == nil {
		p.fail(err)
	}
	select {
	case p.change <- struct{}{}:
	default:
	}
}

// lags reports whether nothing was acknowledged for a while of what is on its way.
func (p *publisher) lags(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent > p.acked && now.Sub(p.moved) > endAfter
}

// look asks the server again if it has said nothing for a while, and gives up after a longer one.
func (p *publisher) look(now time.Time) error {
	p.mu.Lock()
	waits, silent := p.sent > p.acked || p.ending, now.Sub(p.heard)
	// Then the server acknowledges something before it answers a question.
	due := (p.ending || p.sent-p.acked >= p.window) && now.Sub(p.moved) > p.patience
	batch, about, known := p.batch, p.about, max(p.acked, 1) // what is on its way may be behind the question
	p.mu.Unlock()
	switch {
	case !waits:
		return nil
	case silent > p.patience:
		return fmt.Errorf("nats: the server has not acknowledged anything for %s: %w", p.patience, nats.ErrTimeout)
	case due:
		return errStuck
	case silent < askAfter:
		return nil
	}
	return p.conn.PublishMsg(&nats.Msg{
		Subject: about, Reply: batch + p.name + "." + acknowledgeAt + ".fail." + strconv.FormatUint(known, 10) + "." + opPing + ".$FI",
	})
}
