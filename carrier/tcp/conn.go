package tcp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"sighub/carrier"
	"sighub/carrier/tcp/internal/errand"
	"sighub/internal/lockrank"
	"sighub/listen"
)

const (
	flushTime  = time.Second            // for what is pending when a connection ends
	lingerTime = 200 * time.Millisecond // for the peer to read it
)

// A conn is one connection, at either end. One goroutine at a time reads from it and makes every call for it on the handler but the
// last: that is run's at the hub's end, and at the end that connects the one that has the role. A writer has another while there is
// something to write.
type conn struct {
	peers    *peers
	nc       listen.Conn
	addr     string
	refusals carrier.Refusals
	account  *carrier.Account // of what this end holds for the peer; nil at the end that connects
	limits   *Limits
	writer   writer
	calls    *carrier.Calls

	// greet is given what comes before the client is announced.
	greet func(c *conn, m *carrier.Message, packed []byte, held int)
	// accepted is set at the hub's end. There the first byte decides the dialect, and what is begun has a deadline.
	accepted bool

	// The following are set by the reading goroutine, before the client is announced.
	split          splitter
	codec          carrier.Codec
	client         carrier.ClientID // 0 until announced
	login          *login           // who the client is; nil: nobody was asked, or it has not said anything yet
	hello          bool             // the peer has said hello
	window         int              // of messages that the peer takes unanswered
	peerMax        int              // the largest packet that the peer takes
	maxOutstanding int
	signals        signals

	// Of the reading goroutine.
	errands  *errand.Reader // at the end that connects; nil at the hub's
	lends    bool           // what is handled may be followed by errands
	readEnds chan error     // why, at the end that connects
	together carrier.Together
	frames   int // complete ones so far
	awaited  int // the frame whose deadline is set; -1: none

	closing atomic.Bool
	failing sync.WaitGroup // until everyone who waited has been told
	mu      lockrank.Mutex[lockrank.Conn]
	why     error          // the first cause of the connection's end
	foundBy finder         // of why
	broken  error          // why writing failed
	timer   *time.Timer    // for the reply of a legacy peer
	timed   uint64         // the message that it is for
	probed  *time.Timer    // ends probing the peer; nil: it is not probed
	timers  sync.WaitGroup // these timers, until they are stopped or their functions have returned
}

func newConn(p *peers, nc listen.Conn, addr string, l *Limits) *conn {
	c := &conn{
		peers:          p,
		nc:             nc,
		addr:           addr,
		limits:         l,
		calls:          carrier.NewCalls(1),
		window:         1,
		peerMax:        legacyMax,
		maxOutstanding: l.MaxOutstanding,
		awaited:        -1,
	}
	c.failing.Add(1)
	setDefault(&c.maxOutstanding, 64)
	c.writer = writer{
		nc:         nc,
		timeout:    l.WriteTimeout,
		buffers:    &p.buffers,
		failed:     c.writeFailed,
		sent:       c.expectReply,
		others:     func() bool { return c.calls.Outstanding() > 1 },
		pace:       &legacyPacer{gap: l.LegacyGap},
		connecting: p.connecting,
	}
	if p.connecting {
		c.errands = &errand.Reader{Tasks: &p.readers, ReadOn: c.readOn}
	}
	nc.KeepAlive(listen.KeepAlive, l.WriteTimeout)
	return c
}

// charge sets the account to which all that is held for the peer is charged, until the connection has ended.
func (c *conn) charge(a *carrier.Account) { c.account, c.writer.lease.account = a, a }

// speak sets the dialect.
func (c *conn) speak(codec carrier.Codec) {
	c.codec = codec
	if codec.Name() == carrier.JSON.Name() {
		c.codec = carrier.LegacyJSON // until the peer has said hello
		c.split = newJSONSplitter(c.limits.MaxMessage)
		c.writer.json = true
	} else {
		c.split = newCBORSplitter(c.limits.MaxMessage)
	}
	c.split.charge(c.account)
}

// run reads until the connection ends, and then ends it: it returns the cause when nothing of it is left.
func (c *conn) run() error {
	err := c.readAll()
	c.mu.Lock()
	if c.broken != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		err = c.broken
	}
	c.mu.Unlock()
	if errors.Is(err, io.EOF) {
		c.writer.awaitReplies(flushTime)
	}
	c.end(cause(err), reading)
	if why := carrier.Cause(c.cause()); why != carrier.CauseOther && !countedBelow(err) {
		c.count(why)
	}
	c.writer.flush(time.Now().Add(flushTime))
	if !errors.Is(err, io.EOF) && c.split != nil {
		c.linger()
	}
	_ = c.nc.Close() // reading and writing have reported any error
	c.writer.close()
	c.mu.Lock()
	c.endTimer()
	c.endProbe()
	c.mu.Unlock()
	c.timers.Wait()
	c.failing.Wait()
	c.peers.clients.Remove(c.client)
	lockrank.MustBeFree("a handler is called")
	if c.client != 0 {
		c.peers.handler.ClientDisconnected(c.client, c.cause())
	}
	c.account.Close()
	c.peers.log.Debug("disconnected", "client", c.addr, "cause", c.cause())
	return c.cause()
}

// announce makes the client known.
func (c *conn) announce(name string) {
	c.client = c.peers.clients.Add(c)
	c.peers.log.Debug("connected", "client", c.addr, "name", name, "codec", c.codec.Name(), "hello", c.hello)
	codec := c.codec
	if c.writer.json {
		codec = carrier.JSON
	}
	client := carrier.Client{ID: c.client, Name: name, Addr: c.addr, Codec: codec, Hello: c.hello, Window: c.window, Account: c.account,
		Refused: &c.refusals}
	if l := c.login; l != nil {
		client.Identity, client.Proven, client.Session = l.identity, l.proven, l.session
		c.login = nil // the handler has it
	}
	if c.peers.connecting {
		client.Reader = c
	}
	if c.signals.window > 0 {
		client.Signals = c
	}
	lockrank.MustBeFree("a handler is called")
	c.peers.handler.ClientConnected(client)
}

// fail begins to end the connection: reading stops, all waiting ends, and unanswered messages end with cause.
// Only the first cause counts. It may be called by any goroutine.
func (c *conn) fail(cause error) { c.end(cause, anyone) }

// A finder is who has found that a connection ends.
type finder int

const (
	anyone finder = iota
	reading
	writing
)

// end is fail, and says who has found the cause.
func (c *conn) end(cause error, by finder) {
	c.mu.Lock()
	first := c.why == nil
	// When the system gives a peer up, it gives the reason to one of reading and writing only: the other finds an end.
	givenUp := by == writing && c.foundBy == reading && errors.Is(c.why, carrier.ErrClosed)
	if first || givenUp {
		c.why, c.foundBy = cause, by
	}
	c.mu.Unlock()
	if !first {
		return
	}
	c.closing.Store(true)
	_ = c.nc.SetReadDeadline(time.Unix(1, 0)) // fails only when it is closed already
	c.writer.release()
	if c.errands != nil {
		c.errands.Resume() // whoever reads finds the end
	}
	lockrank.MustBeFree("what waits for replies is failed")
	c.calls.Fail(fmt.Errorf("%w: %w", carrier.ErrGone, cause))
	c.failing.Done()
}

func (c *conn) cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.why
}

// writeFailed deals with a write that has failed. What the peer sent before it went may still be unread, so reading
// goes on to its end; but a peer that takes nothing is not waited for.
func (c *conn) writeFailed(err error) {
	if why := cause(err); errors.Is(why, carrier.ErrTimeout) {
		if !c.closing.Load() {
			c.peers.log.Warn("connection closed: it does not read what waits for it", "client", c.addr, "error", err)
		}
		c.end(why, writing)
		_ = c.nc.Close() // ends a read at once
		return
	}
	c.mu.Lock()
	c.broken = err
	c.mu.Unlock()
	_ = c.nc.SetReadDeadline(time.Now().Add(flushTime))
}

// linger lets the peer read what was written last: closing a connection while something unread lies in it
// resets it, and the peer may then lose even what it has received.
func (c *conn) linger() {
	if c.nc.CloseWrite() != nil || c.nc.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	// Many may wait here, so they have no buffers while nothing comes.
	r := c.newReader()
	r.known()
	defer r.release()
	for left := 1 << 20; left > 0; { // until the peer closes, too
		data, err := r.read()
		if err != nil {
			return
		}
		left -= len(data)
	}
}

// expectReply starts the time that a legacy peer has for its reply.
func (c *conn) expectReply(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why != nil {
		return
	}
	c.endTimer()
	c.timers.Add(1)
	c.timed = id
	c.timer = time.AfterFunc(c.limits.ReplyTimeout, func() {
		defer c.timers.Done()
		lockrank.MustBeFree("what waits for a reply is failed")
		c.calls.Cancel(id, fmt.Errorf("tcp: %s has not replied for %v: %w", c.addr, c.limits.ReplyTimeout, context.DeadlineExceeded))
	})
}

func (c *conn) stopTimer(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed == id {
		c.endTimer()
	}
}

// endTimer is called with the lock held.
func (c *conn) endTimer() {
	if c.timer != nil && c.timer.Stop() {
		c.timers.Done()
	}
	c.timer = nil
}
