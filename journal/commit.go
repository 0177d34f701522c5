package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
)

// Serve commits until ctx is done, and then what is still waiting. It calls ended after each commit, in ascending order, on its
// goroutine and without a lock: durable reports whether everything up to the ticket since the last call is on disk. It is not if
// the disk has refused to take it for [Options].GiveUp. At the end the journal is closed.
func (j *Journal) Serve(ctx context.Context, ended func(upTo Ticket, durable bool)) error {
	p := newPace(j.o.Pace, time.Now())
	tended := make(chan struct{})
	go func() {
		defer close(tended)
		j.tend()
	}()
	due := time.NewTimer(time.Hour)
	defer due.Stop()
	var age <-chan time.Time
	if j.o.Age > 0 {
		tick := time.NewTicker(expireEvery)
		defer tick.Stop()
		age = tick.C
	}
	for j.await(ctx, p, due, age) {
		if c := j.take(); c != nil {
			j.write(ctx, p, c, ended)
		}
	}
	for c := j.take(); c != nil; c = j.take() {
		j.write(ctx, p, c, ended)
	}
	close(j.stopped)
	<-tended
	return errors.Join(j.log.close(), j.Close())
}

// expireEvery is how often a journal looks for old segments, if events have an age at which they go.
const expireEvery = time.Minute

// await waits until a commit is due, for which it uses the timer. It returns false when ctx is done.
func (j *Journal) await(ctx context.Context, p *pace, timer *time.Timer, age <-chan time.Time) bool {
	for {
		j.mu.Lock()
		waiting, hurry, need := j.pending, j.hurry, j.need
		var since, by time.Time
		for i, c := range j.queue {
			if i == 0 {
				since = c.since
			}
			by = sooner(by, c.by)
		}
		j.mu.Unlock()
		var due <-chan time.Time
		if waiting > 0 {
			now := time.Now()
			wait := max(p.due(now, waiting, by), p.rest(now, waiting, need, since))
			if wait == 0 || hurry {
				return ctx.Err() == nil
			}
			timer.Reset(wait)
			due = timer.C
		}
		select {
		case <-ctx.Done():
			return false
		case <-j.wake:
		case <-due:
			return true
		case <-age:
			j.expire()
		}
	}
}

// take removes the oldest commit from the queue. Nothing is added to it any more.
func (j *Journal) take() *commit {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.queue) == 0 {
		return nil
	}
	c := j.queue[0]
	n := copy(j.queue, j.queue[1:])
	j.queue[n] = nil
	j.queue = j.queue[:n]
	j.writing = c
	j.hurry = j.hurry && len(j.queue) > 0
	if len(j.queue) == 0 {
		j.need = needCursor
	}
	return c
}

// retryEvery is the pause between attempts to write to a disk that fails. The first one is made at once, to another segment.
const retryEvery = time.Second

// write writes one commit, with as many attempts as there is time for.
func (j *Journal) write(ctx context.Context, p *pace, c *commit, ended func(Ticket, bool)) {
	start := time.Now()
	f := frame{kind: kindData, count: uint32(c.events), times: c.times, content: c.content}
	err := j.attempt(&f)
	for again := 0; err != nil && !errors.Is(err, errTooLarge); again++ {
		if over := j.failed(err); over || ctx.Err() != nil {
			break
		}
		if again > 0 {
			select {
			case <-time.After(retryEvery):
			case <-ctx.Done():
			}
		}
		err = j.attempt(&f)
	}
	if err == nil {
		j.committed(&f)
		p.committed(start, time.Now(), j.log.written())
	} else {
		j.log.skip(c.events) // readers hear of it when something behind it is on disk: until then, its sequences may be used again
		if errors.Is(err, errTooLarge) {
			j.o.Logger.Error("the journal does not keep something", "error", err)
		}
	}
	j.ended.Store(uint64(c.ticket))
	j.mu.Lock()
	if err != nil {
		j.health.Lost++
		j.health.LostEvents += uint64(c.events)
	}
	j.writing = nil
	j.pending -= len(c.content)
	if j.room != nil && j.pending < j.o.Pending {
		close(j.room)
		j.room = nil
	}
	ticket := c.ticket
	j.recycle(c)
	if j.changed != nil {
		close(j.changed)
		j.changed = nil
	}
	j.mu.Unlock()
	ended(ticket, err == nil)
}

// attempt writes a commit once. After one was given up, it tries no more often than a disk that fails is tried.
func (j *Journal) attempt(f *frame) error {
	now := time.Now()
	j.mu.Lock()
	h := &j.health
	if err := h.Err; err != nil && h.gaveUp && now.Sub(h.tried) < retryEvery {
		j.mu.Unlock()
		return err
	}
	h.tried = now
	j.mu.Unlock()
	if err := j.moveCursors(int(f.count)); err != nil {
		return err
	}
	first, err := j.log.append(*f)
	f.epoch, f.first = j.log.epoch, first
	return err
}

// committed makes known what was committed.
func (j *Journal) committed(f *frame) {
	j.memMu.Lock()
	err := j.mem.read(f)
	j.memMu.Unlock()
	j.view.Store(j.log.view())
	if j.log.rolled && len(j.log.kept)+len(j.log.unread) < j.log.most {
		j.wantsSpare.Store(true)
		j.tendSoon()
	}
	if !j.begun {
		j.begun = true
		j.tendSoon()
	}
	j.mu.Lock()
	healthy := j.health.Err == nil
	j.health.Err, j.health.Since, j.health.gaveUp = nil, time.Time{}, false
	j.mu.Unlock()
	if err != nil {
		j.o.Logger.Error("the journal has written what it cannot read", "error", err)
	}
	if !healthy {
		j.o.Logger.Info("the journal writes again")
	}
}

// failed notes that an attempt failed, and reports whether they have been failing for so long that the commit is given up.
func (j *Journal) failed(err error) bool {
	now := time.Now()
	j.mu.Lock()
	first := j.health.Err == nil
	if first {
		j.health.Since = now
	}
	j.health.Err = err
	over := j.o.GiveUp >= 0 && now.Sub(j.health.Since) >= j.o.GiveUp
	told := over && !j.health.gaveUp
	j.health.gaveUp = over
	j.mu.Unlock()
	if first {
		j.o.Logger.Error("the journal cannot write: nothing is acknowledged until it can", "error", err)
	}
	if told {
		j.o.Logger.Error("the journal still cannot write: what comes is acknowledged without being kept", "error", err)
	}
	return over
}

// Sync commits at once what waits, and returns when that is on disk. The error says why it is not.
func (j *Journal) Sync(ctx context.Context) error {
	j.mu.Lock()
	upTo, lost := j.ticket, j.health.Lost
	j.hurry = len(j.queue) > 0
	j.mu.Unlock()
	for j.Committed() < upTo {
		changed := j.changes()
		if j.Committed() >= upTo {
			break
		}
		j.notify()
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("journal: not everything is on disk: %w", cmp.Or(j.Health().Err, context.Cause(ctx)))
		}
	}
	if h := j.Health(); h.Lost > lost {
		return fmt.Errorf("journal: not everything is on disk: %w", cmp.Or(h.Err, errTooLarge))
	}
	return nil
}
