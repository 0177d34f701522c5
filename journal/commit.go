package journal

import (
	"context"
	"errors"
	"time"
)

// Health says whether a journal can write.
type Health struct {
	Err   error     // why the latest commit failed; nil if it did not
	Since time.Time // when commits began to fail
	Lost  uint64    // commits that were given up
}

// Health returns whether the journal can write.
func (j *Journal) Health() Health {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.health
}

// Serve commits until ctx is done, and then what is still waiting. It calls ended after each commit, in ascending order, on its
// goroutine and without a lock: durable reports whether everything up to the ticket since the last call is on disk. It is not if
// the disk has refused to take it for [Options].GiveUp.
func (j *Journal) Serve(ctx context.Context, ended func(upTo Ticket, durable bool)) error {
	p := newPace(j.o.Pace, time.Now())
	for j.await(ctx, p) {
		j.commit(ctx, p, ended)
	}
	for {
		c := j.take()
		if c == nil {
			break
		}
		j.write(context.WithoutCancel(ctx), p, c, ended)
	}
	return j.log.close(nil)
}

// await waits until a commit is due. It returns false when ctx is done.
func (j *Journal) await(ctx context.Context, p *pace) bool {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		j.mu.Lock()
		waiting, urgent := j.pending, j.urgent
		j.mu.Unlock()
		var due <-chan time.Time
		if waiting > 0 {
			wait := p.due(time.Now(), waiting, urgent)
			if wait == 0 {
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
	j.queue = append(j.queue[:0], j.queue[1:]...)
	j.urgent = false
	return c
}

func (j *Journal) commit(ctx context.Context, p *pace, ended func(Ticket, bool)) {
	if c := j.take(); c != nil {
		j.write(ctx, p, c, ended)
	}
}

// retryEvery is the pause between attempts to write to a disk that fails. The first one is made at once, to another segment.
const retryEvery = time.Second

// write writes one commit, with as many attempts as there is time for.
func (j *Journal) write(ctx context.Context, p *pace, c *commit, ended func(Ticket, bool)) {
	var err error
	for attempt := 0; ; attempt++ {
		var first uint64
		if first, err = j.log.append(kindData, c.content, c.events); err == nil {
			j.committed(first, c)
			p.committed(time.Now(), int64(len(j.log.buf)))
			break
		}
		if j.failed(err) >= j.o.GiveUp || ctx.Err() != nil {
			break
		}
		if attempt > 0 {
			select {
			case <-time.After(retryEvery):
			case <-ctx.Done():
			}
		}
	}
	j.mu.Lock()
	if err != nil {
		j.health.Lost++
	}
	j.pending -= len(c.content)
	if j.room != nil && j.pending < j.o.Pending {
		close(j.room)
		j.room = nil
	}
	ticket := c.ticket
	if cap(c.content) <= 1<<20 { // a large one was an exception
		j.free = append(j.free, c)
	}
	j.mu.Unlock()
	ended(ticket, err == nil)
}

// committed makes known what was committed.
func (j *Journal) committed(first uint64, c *commit) {
	f := frame{epoch: j.log.epoch, first: first, count: uint32(c.events)}
	var p parser
	j.mu.Lock()
	j.mem.begin(&f)
	err := p.read(&f, c.content, j.mem)
	healthy := j.health.Err == nil
	j.health.Err, j.health.Since = nil, time.Time{}
	j.view = j.log.view(j.log.dir)
	close(j.changed)
	j.changed = make(chan struct{})
	j.mu.Unlock()
	if err != nil {
		j.o.Logger.Error("the journal has written what it cannot read", "error", err)
	}
	if !healthy {
		j.o.Logger.Info("the journal writes again")
	}
}

// failed notes that an attempt failed, and returns how long they have been failing.
func (j *Journal) failed(err error) time.Duration {
	now := time.Now()
	j.mu.Lock()
	first := j.health.Err == nil
	if first {
		j.health.Since = now
	}
	j.health.Err = err
	since := now.Sub(j.health.Since)
	j.mu.Unlock()
	if first {
		j.o.Logger.Error("the journal cannot write: nothing is acknowledged until it can", "error", err)
	}
	return since
}

// Sync commits at once what waits, and returns when it is on disk.
func (j *Journal) Sync(ctx context.Context) error {
	j.mu.Lock()
	waiting := j.pending > 0
	j.urgent = true
	j.mu.Unlock()
	for waiting {
		j.mu.Lock()
		waiting = j.pending > 0
		changed, health := j.changed, j.health
		j.mu.Unlock()
		if health.Err != nil {
			return health.Err
		}
		if !waiting {
			return nil
		}
		j.notify()
		select {
		case <-changed:
		case <-ctx.Done():
			return errors.Join(errors.New("journal: not everything is on disk"), ctx.Err())
		}
	}
	return nil
}
