package endpoint

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"sighub/carrier/serial/internal/wire"
	"sighub/carrier/serial/port"
)

// An End is one end of a line: see package link. Whoever calls its methods holds its lock.
type End interface {
	Receive(now time.Time, data []byte) (more bool)
	Pull(now time.Time, dst []byte) (data []byte, next time.Time)

	// Rate returns the rate in bits per second that the port is to be set to, or 0. Until RateSet is told what came of it,
	// Pull appends nothing.
	Rate() int
	RateSet(now time.Time, rate int, err error)

	// Finish says that the port is about to be closed: nothing new is to be begun. It reports whether everything that was
	// begun has ended, except for what Pull has to append.
	Finish() bool

	// Expire ends what has taken too long. It is called now and then while the port is stuck, when Pull is not, and for as long as it
	// reports that it is to be called again.
	Expire(now time.Time) (again bool)
}

const (
	expireEvery = 250 * time.Millisecond // between two calls of Expire; and how long a call of the port may take before it is stuck
	farewell    = time.Second            // for which a port stays open until Finish returns true
)

// A pump moves bytes between a port and one end of a line.
type pump struct {
	port port.Port
	end  End
	lock sync.Locker // of end
	wake Notice      // end has something to write
	lost func(error)

	once  sync.Once
	stop  chan struct{} // closed when the port is lost
	busy  atomic.Bool   // with a write, or with what was written before its rate is set
	stuck Notice        // it has been busy for long
}

// Pump moves bytes until the port fails, or until ctx is done and the end has finished; lost is called as soon as that is
// known. When Pump returns, the port is closed and nothing runs any more. Each method of the end is called with the lock held.
func Pump(ctx context.Context, p port.Port, end End, lock sync.Locker, wake Notice, lost func(error)) {
	m := &pump{port: p, end: end, lock: lock, wake: wake, stop: make(chan struct{}), stuck: NewNotice(), lost: lost}
	var all sync.WaitGroup
	all.Go(func() { m.fail(m.read()) })
	all.Go(func() { m.fail(m.write(ctx)) })
	all.Go(func() { m.watch(ctx) })
	all.Wait()
}

// fail closes the port, and reports the first error.
func (m *pump) fail(err error) {
	m.once.Do(func() {
		close(m.stop)
		m.lost(err)
		_ = m.port.Close()
	})
}

func (m *pump) read() error {
	buf := make([]byte, 4096)
	for {
		n, err := m.port.Read(buf)
		if n > 0 {
			m.lock.Lock()
			more := m.end.Receive(time.Now(), buf[:n])
			m.lock.Unlock()
			if more {
				m.wake.Give()
			}
		}
		if err != nil {
			return err
		}
	}
}

// watch has the end expire while that is of use: an idle port costs no time. When ctx is done, it gives the end some time to finish.
func (m *pump) watch(ctx context.Context) {
	timer := time.NewTimer(expireEvery)
	defer timer.Stop()
	for ctx.Err() == nil {
		select {
		case <-m.stop:
			return
		case <-ctx.Done():
		case <-m.stuck:
			m.expire(timer)
		case <-timer.C:
			m.expire(timer)
		}
	}
	select {
	case <-m.stop:
	case <-time.After(farewell):
		m.fail(ctx.Err()) // closes the port, which ends a write that is stuck
	}
}

// expire has the end expire, and again after a while if it wants that or the port is busy.
func (m *pump) expire(again *time.Timer) {
	m.lock.Lock()
	defer m.lock.Unlock()
	if m.end.Expire(time.Now()) || m.busy.Load() {
		again.Reset(expireEvery)
	}
}

// called notes that the port is called. Unless returned follows soon, the timer tells watch so.
func (m *pump) called(long *time.Timer) {
	m.busy.Store(true)
	long.Reset(expireEvery)
}

func (m *pump) returned(long *time.Timer) {
	long.Stop()
	m.busy.Store(false)
}

// write writes until the port fails or is lost, or until ctx is done and the end has finished.
func (m *pump) write(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	long := time.AfterFunc(expireEvery, m.stuck.Give)
	long.Stop() // until the port is called
	buf := make([]byte, 0, wire.MaxFrame)
	for {
		ending := ctx.Err() != nil
		data, next, rate, finished := m.next(buf[:0], ending)
		switch {
		case len(data) > 0:
			m.called(long)
			_, err := m.port.Write(data)
			m.returned(long)
			if err != nil {
				return err
			}
			buf = data
			continue
		case rate != 0:
			m.called(long)
			m.setRate(rate)
			m.returned(long)
			continue
		case finished:
			if d, ok := m.port.(port.Drainer); ok {
				_ = d.Drain() // the port is closed in any case
			}
			return ctx.Err()
		}
		done := ctx.Done()
		if ending {
			done = nil
		}
		var due <-chan time.Time
		if !next.IsZero() {
			timer.Reset(time.Until(next))
			due = timer.C
		}
		select {
		case <-m.wake:
		case <-due:
		case <-done:
		case <-m.stop:
			return nil
		}
	}
}

// next asks the end what to do next: write data, set a rate, finish, or else wait until next at most.
func (m *pump) next(dst []byte, ending bool) (data []byte, next time.Time, rate int, finished bool) {
	m.lock.Lock()
	defer m.lock.Unlock()
	if data, next = m.end.Pull(time.Now(), dst); len(data) > 0 {
		return data, next, 0, false
	}
	rate = m.end.Rate()
	return nil, next, rate, rate == 0 && ending && m.end.Finish()
}

func (m *pump) setRate(rate int) {
	err := errors.ErrUnsupported
	if p, ok := m.port.(port.RateSetter); ok {
		err = p.SetBaud(rate)
	}
	m.lock.Lock()
	defer m.lock.Unlock()
	m.end.RateSet(time.Now(), rate, err)
}
