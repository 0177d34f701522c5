package serial

import (
	"context"
	"errors"
	"sync"
	"time"

	"sighub/carrier/serial/port"
)

// A station is what stands at the end of an open port.
type station interface {
	// receive takes bytes as they were read, and returns whether pull may have something to give for them.
	receive(now time.Time, data []byte) bool
	// pull appends what is to be written, and returns when to ask again if nothing happens before; a zero time
	// means that there is no need.
	pull(now time.Time, dst []byte) ([]byte, time.Time)
	// finish tells that the port is about to be closed: nothing new is to be begun. It returns whether everything
	// that was begun has its end, but for what pull has to give.
	finish() bool
	// rate returns the rate in bits per second that the port is to be given, 0 if it is to stay as it is. Until rated
	// tells what came of that, pull gives nothing.
	rate() int
	// expire ends what has taken too long. It is asked for all the same when a write or a change of the rate is stuck.
	expire(now time.Time)
	rated(now time.Time, rate int, err error)
}

// watchEvery is how often a station is asked to expire.
const watchEvery = 250 * time.Millisecond

// farewell is how long a port stays open for what finish waits for.
const farewell = time.Second

// A notice wakes the one that waits for it; given several times, it is taken once.
type notice chan struct{}

func newNotice() notice { return make(notice, 1) }

func (n notice) give() {
	select {
	case n <- struct{}{}:
	default:
	}
}

// pump moves bytes between a port and a station until the port fails, or ctx is done and the station has finished.
// lost is called as soon as that is known. The port is closed, and nothing is running any more, when pump returns.
func pump(ctx context.Context, p port.Port, s station, wake notice, lost func(error)) {
	var once sync.Once
	stop := make(chan struct{})
	fail := func(err error) {
		once.Do(func() {
			close(stop)
			lost(err)
			_ = p.Close()
		})
	}
	var all sync.WaitGroup
	all.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, err := p.Read(buf)
			if n > 0 && s.receive(time.Now(), buf[:n]) {
				wake.give()
			}
			if err != nil {
				fail(err)
				return
			}
		}
	})
	all.Go(func() { fail(write(ctx, p, s, wake, stop)) })
	all.Go(func() {
		watch := time.NewTicker(watchEvery)
		defer watch.Stop()
		for ctx.Err() == nil {
			select {
			case <-stop:
				return
			case <-ctx.Done():
			case <-watch.C:
				s.expire(time.Now())
			}
		}
		patience := time.NewTimer(farewell)
		defer patience.Stop()
		select {
		case <-stop:
		case <-patience.C:
			fail(ctx.Err()) // closes the port, which ends a write that is stuck
		}
	})
	all.Wait()
}

// write pulls and writes until the port fails, or until stop, or until ctx is done and the station has finished.
func write(ctx context.Context, p port.Port, s station, wake notice, stop <-chan struct{}) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	buf := make([]byte, 0, limitFrame)
	for {
		var next time.Time
		buf, next = s.pull(time.Now(), buf[:0])
		if len(buf) > 0 {
			if _, err := p.Write(buf); err != nil {
				return err
			}
			continue
		}
		if rate := s.rate(); rate != 0 {
			err := errors.ErrUnsupported
			if setter, ok := p.(port.RateSetter); ok {
				err = setter.SetBaud(rate)
			}
			s.rated(time.Now(), rate, err)
			continue
		}
		ending := ctx.Done()
		if ctx.Err() != nil {
			if s.finish() {
				if d, ok := p.(port.Drainer); ok {
					_ = d.Drain() // the port is closed either way
				}
				return ctx.Err()
			}
			ending = nil
		}
		var due <-chan time.Time
		if !next.IsZero() {
			timer.Reset(time.Until(next))
			due = timer.C
		}
		select {
		case <-wake:
		case <-due:
		case <-ending:
		case <-stop:
			return nil
		}
	}
}
