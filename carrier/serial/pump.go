package serial

import (
	"sync"
	"time"
)

// A station is what stands at the end of an open port.
type station interface {
	// receive takes bytes as they were read.
	receive(now time.Time, data []byte)
	// pull appends what is to be written, and returns when to ask again if nothing happens before; a zero time
	// means that there is no need.
	pull(now time.Time, dst []byte) ([]byte, time.Time)
}

// A notice wakes the one that waits for it; given several times, it is taken once.
type notice chan struct{}

func newNotice() notice { return make(notice, 1) }

func (n notice) give() {
	select {
	case n <- struct{}{}:
	default:
	}
}

// pump moves bytes between a port and a station until the port fails or is closed, and returns the reason. lost is
// called as soon as that is known. The port is closed, and nothing is running any more, when pump returns.
func pump(port Port, s station, wake notice, lost func(error)) {
	var once sync.Once
	stop := make(chan struct{})
	fail := func(err error) {
		once.Do(func() {
			close(stop)
			lost(err)
			_ = port.Close()
		})
	}
	var both sync.WaitGroup
	both.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, err := port.Read(buf)
			if n > 0 {
				s.receive(time.Now(), buf[:n])
				wake.give()
			}
			if err != nil {
				fail(err)
				return
			}
		}
	})
	both.Go(func() { fail(write(port, s, wake, stop)) })
	both.Wait()
}

// write pulls and writes until the port fails, or until stop; it then returns nil.
func write(port Port, s station, wake notice, stop <-chan struct{}) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	buf := make([]byte, 0, limitFrame)
	for {
		var next time.Time
		buf, next = s.pull(time.Now(), buf[:0])
		if len(buf) > 0 {
			if _, err := port.Write(buf); err != nil {
				return err
			}
			continue
		}
		var due <-chan time.Time
		if !next.IsZero() {
			timer.Reset(time.Until(next))
			due = timer.C
		}
		select {
		case <-wake:
		case <-due:
		case <-stop:
			return nil
		}
	}
}
