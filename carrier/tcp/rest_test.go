package tcp

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/internal/buffers"
	"sighub/listen"
)

// A putter puts signals for a connection that takes what is written. The time is that of a bubble.
type putter struct {
	*conn
	began  time.Time
	during func() // called during the next write

	mu    sync.Mutex
	wrote []written
}

// A written is how many bytes were written at once, when, and whether the goroutine that flushed did so.
type written struct {
	size int
	at   time.Duration
	here bool
}

// A writeConn writes for a putter.
type writeConn struct {
	listen.Conn
	*putter
}

func (c writeConn) WriteWithin(b []byte, _ time.Duration, _ time.Time) error {
	c.write(b, false)
	return nil
}

func (c writeConn) TryWrite(b []byte) (int, bool, error) {
	c.write(b, true)
	return len(b), true, nil
}

func (p *putter) write(b []byte, here bool) {
	p.mu.Lock()
	p.wrote = append(p.wrote, written{len(b), time.Since(p.began), here})
	during := p.during
	p.during = nil
	p.mu.Unlock()
	if during != nil {
		during()
	}
}

// testRest has f put signals, and ends the connection then.
func testRest(t *testing.T, f func(p *putter)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &putter{conn: new(conn), began: time.Now()}
		p.writer = writer{nc: writeConn{putter: p}, timeout: watchdog, buffers: new(buffers.Pool), connecting: true}
		p.Collect(func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			left := p.signals.staged != nil
			p.Submit()
			return left
		})
		time.Sleep(time.Second)
		f(p)
		p.writer.close()
	})
}

// put puts so many signals of so many bytes together, which may be fetched later, and has them written if they are not.
func (p *putter) put(signals, size int) {
	p.leave(signals, size, true)
	synctest.Wait()
}

// leave is put without waiting for what it leads to; later says whether the signals may be fetched later.
func (p *putter) leave(signals, size int, later bool) {
	p.mu.Lock()
	if p.signals.staged == nil {
		p.signals.staged = p.writer.buffers.Get()
	}
	*p.signals.staged = append(*p.signals.staged, make([]byte, size)...)
	p.signals.put += signals
	fetched := p.Fetches(later)
	if !fetched {
		p.Submit()
	}
	p.mu.Unlock()
	if !fetched {
		p.Flush(false)
	}
}

// message puts a message of so many bytes with its head, which waits for nobody.
func (p *putter) message(size int) {
	p.writer.mu.Lock()
	p.writer.append(make([]byte, size-2))
	p.writer.start()
	p.writer.mu.Unlock()
}

// want checks what was written since the last call, and that nothing is about to be.
func (p *putter) want(t *testing.T, wrote ...written) {
	t.Helper()
	time.Sleep(time.Second)
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Equal(p.wrote, wrote) {
		t.Errorf("written: %v, not %v", p.wrote, wrote)
	}
	if p.writer.running.Load() || p.writer.resting.Load() {
		t.Error("the writer does not end")
	}
	p.wrote = nil
}

// TestRest: with many signals unanswered, the writer's goroutine rests. What is put meanwhile is written by whoever puts it as soon as it
// is a share, or when the goroutine has rested.
func TestRest(t *testing.T) {
	testRest(t, func(p *putter) {
		s := time.Second
		p.put(1, 100)
		p.put(carrier.ManySignals, 5000) // not a lone one: the goroutine writes it
		p.put(1, 200)
		if p.Fetches(false) {
			t.Error("what must not wait is left to a goroutine that rests")
		}
		time.Sleep(restFor / 4)
		p.put(1, 300)
		p.put(1, share) // with the two before
		p.put(1, 400)
		p.want(t, written{100, s, true}, written{5000, s, false},
			written{500 + share, s + restFor/4, true}, written{400, s + restFor, false})
	})
}

// TestRestOfFew: nothing is held up with few signals unanswered, or at the hub's end, or where nothing is fetched.
func TestRestOfFew(t *testing.T) {
	testRest(t, func(p *putter) {
		s := time.Second
		p.put(1, 100)
		p.put(carrier.ManySignals-2, 5000)
		p.want(t, written{100, s, true}, written{5000, s, false})

		p.put(1, 100)
		p.put(1, 200)
		if !p.writer.resting.Load() {
			t.Error("the goroutine does not rest")
		}
		time.Sleep(2 * restFor)
		p.writer.mu.Lock()
		p.writer.signals.answered(carrier.ManySignals)
		p.writer.mu.Unlock()
		p.put(1, 300)
		p.put(1, 400)
		p.want(t, written{100, 2 * s, true}, written{200, 2 * s, false},
			written{300, 2*s + 2*restFor, true}, written{400, 2*s + 2*restFor, false})

		for _, never := range []func(){func() { p.writer.connecting = false }, func() { p.writer.connecting = true; p.writer.collect.Store(nil) }} {
			never()
			s = time.Since(p.began)
			p.put(carrier.ManySignals, 100)
			p.put(1, 200)
			p.put(1, 300)
			p.want(t, written{100, s, true}, written{200, s, false}, written{300, s, false})
		}
	})
}

// TestMessageAtRest: a message does not wait until the goroutine has rested, and what was left is fetched with it. The goroutine that
// writes it does not rest beside the other one, which goes on for it. A message that is put during a write follows without a rest.
func TestMessageAtRest(t *testing.T) {
	testRest(t, func(p *putter) {
		s := time.Second
		p.put(1, 100)
		p.put(carrier.ManySignals, 5000)
		p.put(1, 200)
		time.Sleep(restFor / 2)
		p.message(30)
		synctest.Wait()
		p.put(1, 300)
		time.Sleep(restFor * 3 / 4)
		p.put(1, 400) // after the first has gone on, and rests again
		time.Sleep(restFor / 2)
		p.put(1, 500) // after the second would have gone on
		p.want(t, written{100, s, true}, written{5000, s, false}, written{230, s + restFor/2, false}, written{300, s + restFor, false},
			written{900, s + 2*restFor, false})

		s = time.Since(p.began)
		p.put(1, 100)
		p.during = func() { p.message(50) }
		p.put(1, 200)
		p.want(t, written{100, s, true}, written{200, s, false}, written{50, s, false})
	})
}

// TestRestBesideAWrite: the goroutine has rested while another one writes. Two never write at once.
func TestRestBesideAWrite(t *testing.T) {
	testRest(t, func(p *putter) {
		s := time.Second
		p.put(1, 100)
		p.put(carrier.ManySignals, 5000)
		time.Sleep(restFor / 2)
		var writing atomic.Bool
		p.during = func() {
			writing.Store(true)
			p.mu.Lock()
			p.during = func() {
				if writing.Load() {
					t.Error("two write at once")
				}
			}
			p.mu.Unlock()
			time.Sleep(2 * restFor)
			writing.Store(false)
		}
		p.message(30)
		synctest.Wait()
		p.put(1, 200) // left to whoever writes
		p.want(t, written{100, s, true}, written{5000, s, false}, written{30, s + restFor/2, false}, written{200, s + 7*restFor/2, false})
	})
}

// TestLeftDuringAWrite: what was left while few signals are without an answer does not wait for a rest.
func TestLeftDuringAWrite(t *testing.T) {
	testRest(t, func(p *putter) {
		s := time.Second
		p.put(1, 100)
		p.during = func() { p.leave(1, 200, false) }
		p.put(carrier.ManySignals-2, 5000)
		p.want(t, written{100, s, true}, written{5000, s, false}, written{200, s, false})
	})
}

// TestEndAtRest: a connection ends while the goroutine rests.
func TestEndAtRest(t *testing.T) {
	testRest(t, func(p *putter) {
		p.put(1, 100)
		p.put(carrier.ManySignals, 5000)
		p.put(1, 200)
		if !p.writer.resting.Load() {
			t.Error("the goroutine does not rest")
		}
	})
}
