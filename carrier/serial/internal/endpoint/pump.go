package endpoint

import (
	"context"
	"errors"
	"sync"
	"time"

	"sighub/carrier/serial/internal/wire"
	"sighub/carrier/serial/port"
)

// A End is one end of a line, and does nothing by itself. Whoever calls its methods holds its lock.
type End interface {
	// receive takes bytes as they were read, and reports whether pull may have something to give for them.
	Receive(now time.Time, data []byte) bool
	// pull appends what is to be written, and returns when to ask again if nothing happens before; a zero time
	// means that there is no need.
	Pull(now time.Time, dst []byte) ([]byte, time.Time)
	// finish says that the port is about to be closed: nothing new is to be begun. It reports whether everything that
	// was begun has its end, but for what pull has to give.
	Finish() bool
	// rate returns the rate in bits per second that the port is to be given, 0 if it is to stay as it is. Until rated
	// says what came of that, pull gives nothing.
	Rate() int
	RateSet(now time.Time, rate int, err error)
	// expire ends what has taken too long. It is called all the same while a write or a change of the rate is stuck.
	Expire(now time.Time)
}

// watchEvery is how often a station is asked to expire.
const watchEvery = 250 * time.Millisecond

// farewell is how long a port stays open for what finish waits for.
const farewell = time.Second

// A Notice wakes the one that waits for it; given several times, it is taken once.
type Notice chan struct{}

func NewNotice() Notice { return make(Notice, 1) }

func (n Notice) Give() {
	select {
	case n <- struct{}{}:
	default:
	}
}

// A pump moves bytes between a port and one end of a line.
type pump struct {
	port port.Port
	end  End
	lock sync.Locker // of end
	wake Notice      // end has something to write

	once sync.Once
	stop chan struct{} // closed when the port is lost
	lost func(error)
}

// Pump moves bytes until the port fails, or ctx is done and the end has finished. lost is called as soon as that is
// known. The port is closed, and nothing is running any more, when Pump returns.
func Pump(ctx context.Context, p port.Port, end End, lock sync.Locker, wake Notice, lost func(error)) {
	m := &pump{port: p, end: end, lock: lock, wake: wake, stop: make(chan struct{}), lost: lost}
	var all sync.WaitGroup
	all.Go(m.read)
	all.Go(func() { m.fail(m.write(ctx)) })
	all.Go(func() { m.watch(ctx) })
	all.Wait()
}

// fail closes the port, for the first reason.
func (m *pump) fail(err error) {
	m.once.Do(func() {
		close(m.stop)
		m.lost(err)
		_ = m.port.Close()
	})
}

func (m *pump) read() {
	buf := make([]byte, 4096)
	for {
		n, err := m.port.Read(buf)
		if n > 0 && m.receive(buf[:n]) {
			m.wake.Give()
		}
		if err != nil {
			m.fail(err)
			return
		}
	}
}

func (m *pump) receive(data []byte) bool {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.end.Receive(time.Now(), data)
}

// watch has the end expire now and then. When ctx is done it gives the end some time to finish.
func (m *pump) watch(ctx context.Context) {
	watch := time.NewTicker(watchEvery)
	defer watch.Stop()
	for ctx.Err() == nil {
		select {
		case <-m.stop:
			return
		case <-ctx.Done():
		case <-watch.C:
			m.expire()
		}
	}
	patience := time.NewTimer(farewell)
	defer patience.Stop()
	select {
	case <-m.stop:
	case <-patience.C:
		m.fail(ctx.Err()) // closes the port, which ends a write that is stuck
	}
}

func (m *pump) expire() {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.end.Expire(time.Now())
}

// write pulls and writes until the port fails or is lost, or until ctx is done and the end has finished.
func (m *pump) write(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	buf := make([]byte, 0, wire.MaxFrame)
	for {
		data, next, rate, finished := m.pull(buf[:0], ctx.Err() != nil)
		switch {
		case len(data) > 0:
			buf = data
			if _, err := m.port.Write(data); err != nil {
				return err
			}
			continue
		case rate != 0:
			m.setRate(rate)
			continue
		case finished:
			if d, ok := m.port.(port.Drainer); ok {
				_ = d.Drain() // the port is closed either way
			}
			return ctx.Err()
		}
		ending := ctx.Done()
		if ctx.Err() != nil {
			ending = nil
		}
		var due <-chan time.Time
		if !next.IsZero() {
			timer.Reset(time.Until(next))
			due = timer.C
		}
		select {
		case <-m.wake:
		case <-due:
		case <-ending:
		case <-m.stop:
			return nil
		}
	}
}

// pull asks the end what is to be done next: to write data, to set a rate, to finish, or to wait, until next at most.
func (m *pump) pull(dst []byte, ending bool) (data []byte, next time.Time, rate int, finished bool) {
	m.lock.Lock()
	defer m.lock.Unlock()
	data, next = m.end.Pull(time.Now(), dst)
	if len(data) == 0 {
		rate = m.end.Rate()
	}
	if len(data) == 0 && rate == 0 && ending {
		finished = m.end.Finish()
	}
	return data, next, rate, finished
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
