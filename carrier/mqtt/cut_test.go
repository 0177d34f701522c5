package mqtt_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"sighub/internal/mqtt/packet"
	"sighub/journal"
	"sighub/journal/journaltest"
)

// cutWindow is how many messages the publisher has on the way; it is less than the hub's Receive Maximum.
const cutWindow = 8

// A cutPair is a publisher and a subscriber with a kept session, of a hub whose power is cut.
type cutPair struct {
	t     *testing.T
	v     byte
	total int

	mu         sync.Mutex
	sent       int // by the publisher, in any life of the hub
	acked      int // what the publisher has an acknowledgement of
	subscribed bool
	next       int // the number that the subscriber has not heard yet
	again      int // messages that it has heard more than once
}

func (c *cutPair) done() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.next == c.total && c.acked == c.total
}

// meet says hello, and reports whether there is a session already.
func (p *peer) meet(h hello) (present bool, err error) {
	if _, err := p.Write(h.packet(p.v)); err != nil {
		return false, err
	}
	typ, _, body, err := p.next()
	if err == nil && (typ != packet.Connack || body[1] != 0) {
		err = fmt.Errorf("got %s % x", typ, body)
	}
	return err == nil && body[0] == 1, err
}

// publish sends what is not acknowledged, in order, as a client does that comes again: first what it has sent before.
func (c *cutPair) publish(p *peer) error {
	if _, err := p.meet(hello{id: "pub"}); err != nil {
		return err
	}
	c.mu.Lock()
	first, before := c.acked, c.sent
	c.mu.Unlock()
	sent := first
	for acked := first; acked < c.total; acked++ {
		for ; sent < min(acked+cutWindow, c.total); sent++ {
			b := p.publishPacket("pump/n", strconv.Itoa(sent), uint16(sent+1))
			if sent < before {
				b[0] |= 8
			}
			if _, err := p.Write(b); err != nil {
				return err
			}
			c.mu.Lock()
			c.sent = max(c.sent, sent+1)
			c.mu.Unlock()
		}
		typ, _, body, err := p.next()
		if err != nil {
			return err
		}
		if typ != packet.Puback || len(body) > 2 && body[2] >= 0x80 {
			return fmt.Errorf("%s % x", typ, body)
		}
		if id := binary.BigEndian.Uint16(body); int(id) != acked+1 {
			c.t.Errorf("the acknowledgement of %d comes where that of %d is due", id-1, acked)
			return errors.New("out of order")
		}
		c.mu.Lock()
		c.acked = acked + 1
		c.mu.Unlock()
	}
	return nil
}

// hear takes up the session, and hears until the connection ends. It closes ready when the subscription is there.
func (c *cutPair) hear(p *peer, ready chan<- struct{}) error {
	present, err := p.meet(kept("sub", c.v))
	if err != nil {
		return err
	}
	c.mu.Lock()
	subscribed := c.subscribed
	c.mu.Unlock()
	if subscribed {
		close(ready)
		if !present {
			c.t.Error("a session whose subscription was acknowledged is gone")
			return errors.New("no session")
		}
	} else if _, err := p.Write(p.subscribePacket(7, 1, nil, "pump/n")); err != nil {
		return err
	}
	for {
		typ, flags, body, err := p.next()
		switch {
		case err != nil:
			return err
		case typ == packet.Suback:
			c.mu.Lock()
			c.subscribed = true
			c.mu.Unlock()
			close(ready)
		case typ == packet.Publish:
			g := p.parse(flags, body)
			if _, err := p.Write(pubackPacket(g.id)); err != nil {
				return err
			}
			n, err := strconv.Atoi(g.payload)
			c.mu.Lock()
			switch {
			case err != nil || n > c.next:
				c.t.Errorf("%s is heard where %d is due", g, c.next)
			case n == c.next:
				c.next++
			default:
				c.again++
			}
			c.mu.Unlock()
		}
	}
}

// TestPowerCut: the power of the hub is cut at any operation of its disk, again and again. What it has acknowledged to a publisher, it
// tells the subscriber with the kept session, each message after the one before.
func TestPowerCut(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		for seed := range uint64(2) {
			t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
				t.Parallel()
				rng := rand.New(rand.NewPCG(seed, uint64(v)))
				disk := journaltest.NewFolder(seed)
				c := &cutPair{t: t, v: v, total: 400}
				cuts := 0
				faults := journaltest.None()
				for ; !c.done() && !t.Failed(); cuts++ {
					faults.CutIn = 5 + rng.IntN(60)
					disk.SetFaults(faults)
					c.live(disk)
					disk.Restore()
				}
				disk.SetFaults(journaltest.None())
				t.Logf("%d cuts, %d messages again", cuts, c.again)
				if cuts < 3 {
					t.Error("the power was hardly ever cut")
				}
				c.once(disk, func(w *world) {
					w.until("one cursor is left, that of the subscription", func() bool {
						list, err := w.near.Cursors(t.Context())
						return err == nil && len(list) == 1
					})
				})
			})
		}
	})
}

// once has a hub while f runs, unless the power is cut before.
func (c *cutPair) once(disk *journaltest.Folder, f func(w *world)) {
	j, err := journal.OpenFolder(disk, journal.Options{Segment: 256 << 10, Size: 8 << 20, GiveUp: -1})
	if err != nil {
		return
	}
	w := newWorld(c.t, worldOptions{journal: j})
	f(w)
	w.end()
}

// live has a hub until its power is cut, or everything is heard.
func (c *cutPair) live(disk *journaltest.Folder) {
	c.once(disk, func(w *world) {
		sub, pub := w.dial(c.v), w.dial(c.v)
		var all sync.WaitGroup
		ready, over := make(chan struct{}), make(chan struct{})
		all.Go(func() { _ = c.hear(sub, ready) })
		all.Go(func() {
			select {
			case <-ready:
				_ = c.publish(pub)
			case <-over:
			}
		})
		poll := time.NewTicker(time.Millisecond)
		defer poll.Stop()
		for disk.Faults().CutIn != 0 && !c.done() && !c.t.Failed() {
			<-poll.C
		}
		close(over)
		_, _ = sub.Close(), pub.Close()
		all.Wait()
	})
}

// TestCleanStartCut: whoever has begun anew does not find the session before that after a loss of power, whether its client was still
// there or not, and even if nothing was subscribed to.
func TestCleanStartCut(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		for _, there := range []bool{false, true} {
			t.Run(fmt.Sprint("still there ", there), func(t *testing.T) {
				disk := journaltest.NewFolder(1)
				c := &cutPair{t: t, v: v}
				c.once(disk, func(w *world) {
					p, _ := w.connect(v, kept("p", v))
					p.subscribe(1, "pump/n")
					if !there {
						_ = p.Close()
						w.until("it has gone", func() bool { return !w.there("p") })
					}
					faults := journaltest.None()
					faults.SyncDelay = 20 * time.Millisecond // so that the power is lost before what need not be waited for is there
					disk.SetFaults(faults)
					_, ack := w.connect(v, hello{id: "p"})
					disk.Cut()
					if ack[0] != 0 {
						t.Error("the session is there after a clean start")
					}
				})
				disk.Restore()
				disk.SetFaults(journaltest.None())
				c.once(disk, func(w *world) {
					if _, ack := w.connect(v, kept("p", v)); ack[0] != 0 {
						t.Error("the session that was ended is there again")
					}
				})
			})
		}
	})
}
