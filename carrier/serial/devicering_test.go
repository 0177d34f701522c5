package serial

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier/serial/internal/link"
	"sighub/carrier/serial/internal/wire"
	"sighub/journal"
	"sighub/journal/journaltest"
)

// A chip is a device with a ring of so many bytes, whose frames are answered when the journal has them. It does what the firmware
// library does, and is heard as a client hears a device.
type chip struct {
	mu                    sync.Mutex
	window, room, payload int // the last of a frame
	group                 *journal.Group
	ring                  deviceRing

	waiting []link.Reading // not sent
	sizes   []int          // of these
	frames  []sentFrame    // unanswered, oldest first
	used    int            // bytes of the ring
	lost    int
}

type sentFrame struct {
	readings []link.Reading
	size     int
	ticket   journal.Ticket // 0: it has not arrived
}

const (
	onLine   = 10 * time.Millisecond // that a frame or its answer is on its way
	someMark = 100                   // bytes of a link's state
)

// report puts readings into the ring, as far as there is room.
func (c *chip) report(sizes ...int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, size := range sizes {
		if c.used+size > c.room {
			c.lost++
			continue
		}
		c.used += size
		c.waiting, c.sizes = append(c.waiting, link.Reading{Time: time.Now()}), append(c.sizes, size)
	}
	c.send()
}

// send sends what the window allows. The lock is held.
func (c *chip) send() {
	for len(c.frames) < c.window && len(c.waiting) > 0 {
		n, size := 0, 0
		for n < len(c.waiting) && size+c.sizes[n] <= c.payload {
			size += c.sizes[n]
			n++
		}
		c.frames = append(c.frames, sentFrame{readings: c.waiting[:n:n], size: size})
		c.waiting, c.sizes = c.waiting[n:], c.sizes[n:]
		time.AfterFunc(onLine, c.arrive)
	}
}

// arrive is what the hub does with the next frame.
func (c *chip) arrive() {
	c.mu.Lock()
	defer c.mu.Unlock()
	unanswered, next := 0, 0
	for c.frames[next].ticket != 0 {
		unanswered += c.frames[next].size
		next++
	}
	f := &c.frames[next]
	c.ring.take(time.Now(), f.readings, f.size)
	for range f.readings {
		c.group.Add(journal.Event{Topic: journal.Topic{Sender: "light", Event: "lux"}, Time: time.Now().UnixNano(), Data: []byte{1, 2, 3}})
	}
	c.group.Mark("link/a1b2", make([]byte, someMark))
	f.ticket = c.group.Append(c.ring.patience(unanswered+f.size, c.window*c.payload))
}

// ended answers what is on disk.
func (c *chip) ended(upTo journal.Ticket) {
	time.AfterFunc(onLine, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for len(c.frames) > 0 && c.frames[0].ticket != 0 && c.frames[0].ticket <= upTo {
			c.used -= c.frames[0].size
			c.frames = c.frames[1:]
		}
		c.send()
	})
}

// believed returns how many bytes the hub takes the ring for.
func (c *chip) believed() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ring.room
}

// A chipWorld is a hub's journal, whose budget is used up, and the chips that wait for it.
type chipWorld struct {
	t       *testing.T
	chips   []*chip
	commits atomic.Int64
}

// inChipWorld runs a test with so many chips on a disk of which each sync takes a time. It fails if one of them loses a reading.
func inChipWorld(t *testing.T, chips int, sync time.Duration, test func(w *chipWorld)) {
	synctest.Test(t, func(t *testing.T) {
		disk := journaltest.NewFolder(1)
		j, err := journal.OpenFolder(disk, journal.Options{Size: 4 << 20, Segment: 1 << 20, Pace: journal.PaceOptions{Burst: 1, Day: 1}})
		must(t, err)
		faults := journaltest.None()
		faults.SyncDelay = sync
		disk.SetFaults(faults)
		w := &chipWorld{t: t}
		for range chips {
			w.chips = append(w.chips, &chip{window: 1, room: usualRoom, payload: wire.MinFrame - 5, group: j.NewGroup(), ring: newDeviceRing()})
		}
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error)
		go func() {
			served <- j.Serve(ctx, func(upTo journal.Ticket, _ bool) {
				w.commits.Add(1)
				for _, c := range w.chips {
					c.ended(upTo)
				}
			})
		}()
		test(w)
		time.Sleep(5 * time.Second) // for the last answers
		stop()
		must(t, <-served)
		synctest.Wait()
		for i, c := range w.chips {
			c.mu.Lock()
			if c.lost > 0 || c.used > 0 {
				t.Errorf("chip %d: %d readings are lost, %d bytes wait", i, c.lost, c.used)
			}
			c.mu.Unlock()
		}
	})
}

// run has chips report for a time, two readings together at a time as the example for AVR does: that many a second, which may be
// less than one. The chips do not do it at the same moment. It returns how many commits there were in a second.
func (w *chipWorld) run(rate float64, span time.Duration, chips ...*chip) float64 {
	period := time.Duration(2 / rate * float64(time.Second))
	before := w.commits.Load()
	var all sync.WaitGroup
	for i, c := range chips {
		all.Go(func() {
			begin := time.Now().Add(period * time.Duration(i) / time.Duration(len(chips)))
			for at := time.Duration(0); at < span; at += period {
				time.Sleep(time.Until(begin.Add(at)))
				c.report(6, 4)
			}
			time.Sleep(period)
		})
	}
	all.Wait()
	return float64(w.commits.Load()-before) / span.Seconds()
}

// TestSteadyReadings: the smallest ring loses nothing at these rates; and where there is time, answers wait for each other.
func TestSteadyReadings(t *testing.T) {
	for _, test := range []struct {
		chips   int
		rate    float64
		sync    time.Duration
		commits float64 // a second, at most
	}{
		{1, 0.02, 5 * time.Millisecond, 0.02},
		{1, 1, 5 * time.Millisecond, 0.6},
		{10, 1, 5 * time.Millisecond, 1.03},
		{30, 1, 5 * time.Millisecond, 1.1},
		{1, 5, 5 * time.Millisecond, 2.2},
		{1, 10, 5 * time.Millisecond, 4},
		{1, 20, 5 * time.Millisecond, 6.1},
		{10, 20, 5 * time.Millisecond, 6.4},
		{1, 40, 5 * time.Millisecond, 12},
		{1, 10, 200 * time.Millisecond, 4},
		{1, 20, 60 * time.Millisecond, 6.1},
		{10, 20, 60 * time.Millisecond, 6.4},
	} {
		t.Run(fmt.Sprintf("%d chips, %v a second, %v", test.chips, test.rate, test.sync), func(t *testing.T) {
			inChipWorld(t, test.chips, test.sync, func(w *chipWorld) {
				w.run(test.rate, 10*time.Second, w.chips...)
				if got := w.run(test.rate, 10*time.Minute, w.chips...); got > test.commits {
					t.Errorf("there are %.2f commits a second, want %.2f at most", got, test.commits)
				}
			})
		})
	}
}

// TestBursts: nothing is lost of a burst, however long the chip was silent before; when it is over, answers wait again.
func TestBursts(t *testing.T) {
	const sync = 5 * time.Millisecond
	t.Run("after a silence", func(t *testing.T) {
		inChipWorld(t, 1, sync, func(w *chipWorld) {
			for _, silent := range []time.Duration{5 * time.Second, 30 * time.Second, 59 * time.Second, 61 * time.Second, 5 * time.Minute, 3 * time.Hour} {
				time.Sleep(silent)
				w.run(20, 10*time.Second, w.chips...)
			}
		})
	})
	t.Run("a second each minute", func(t *testing.T) {
		inChipWorld(t, 1, sync, func(w *chipWorld) {
			for range 30 {
				w.run(20, time.Second, w.chips...)
				time.Sleep(59 * time.Second)
			}
			if n := w.commits.Load(); n > 30*12 {
				t.Errorf("there are %d commits for 30 seconds of readings", n)
			}
		})
	})
	t.Run("among few readings", func(t *testing.T) {
		inChipWorld(t, 1, sync, func(w *chipWorld) {
			for range 10 {
				w.run(20, 2*time.Second, w.chips...)
				w.run(0.2, 2*time.Minute, w.chips...)
			}
		})
	})
	t.Run("of one among ten", func(t *testing.T) {
		inChipWorld(t, 10, sync, func(w *chipWorld) {
			var others float64
			done := make(chan struct{})
			go func() {
				defer close(done)
				others = w.run(1, 10*time.Minute, w.chips[1:]...)
			}()
			for range 10 {
				w.run(20, time.Second, w.chips[0])
				time.Sleep(59 * time.Second)
			}
			<-done
			if others > 1.2 {
				t.Errorf("there are %.2f commits a second", others)
			}
		})
	})
	t.Run("that is over", func(t *testing.T) {
		inChipWorld(t, 10, sync, func(w *chipWorld) {
			w.run(20, time.Minute, w.chips...)
			w.run(1, 20*time.Minute, w.chips...)
			if got := w.run(1, 10*time.Minute, w.chips...); got > 1.03 {
				t.Errorf("there are %.2f commits a second", got)
			}
		})
	})
}

// TestShownRoom: a device that has kept more than the usual ring has room for is taken to have that room, and its answers may wait; the
// readings of a steady device show nothing, however long answers take.
func TestShownRoom(t *testing.T) {
	t.Run("in many frames", func(t *testing.T) {
		inChipWorld(t, 1, 5*time.Millisecond, func(w *chipWorld) {
			c := w.chips[0]
			c.room = 1024
			for range 60 { // that it kept while there was no hub
				c.waiting, c.sizes, c.used = append(c.waiting, link.Reading{Time: time.Now()}), append(c.sizes, 5), c.used+5
				time.Sleep(time.Second)
			}
			w.run(20, 10*time.Second, c)
			if got, room := w.run(20, time.Minute, c), c.believed(); got > 5 || room < 250 || room > 1024 {
				t.Errorf("with 1,024 bytes there are %.2f commits a second; the hub takes it for %.0f", got, room)
			}
			c.mu.Lock()
			c.payload = 250
			c.mu.Unlock()
			if got := w.run(20, time.Minute, c); got > 1.1 {
				t.Errorf("with large frames there are %.2f commits a second", got)
			}
		})
	})
	t.Run("of uncertain times", func(t *testing.T) {
		r, now := newDeviceRing(), time.Unix(2e9, 0)
		for range 100 {
			now = now.Add(100 * time.Millisecond)
			r.take(now, []link.Reading{{Time: now.Add(-3 * time.Second), Uncertainty: 4 * time.Second}}, 40)
		}
		if r.room > usualRoom {
			t.Errorf("the hub believes in %.0f bytes", r.room)
		}
	})
	t.Run("not with a large window", func(t *testing.T) {
		inChipWorld(t, 1, 5*time.Millisecond, func(w *chipWorld) {
			w.chips[0].window = 8
			w.run(20, time.Minute, w.chips...)
		})
	})
	t.Run("steady", func(t *testing.T) {
		inChipWorld(t, 1, 60*time.Millisecond, func(w *chipWorld) {
			w.run(20, 10*time.Minute, w.chips...)
			if room := w.chips[0].believed(); room > usualRoom {
				t.Errorf("the hub believes in %.0f bytes", room)
			}
		})
	})
}

// TestOddReadings: whatever times readings have, there is an answer within a time that makes sense.
func TestOddReadings(t *testing.T) {
	begin := time.Unix(2e9, 0)
	for name, at := range map[string]func(n int) time.Time{
		"backwards":   func(n int) time.Time { return begin.Add(-time.Duration(n) * time.Second) },
		"still":       func(int) time.Time { return begin },
		"to and fro":  func(n int) time.Time { return begin.Add(time.Duration(n%3) * 100 * time.Hour) },
		"in the past": func(int) time.Time { return time.Unix(0, 0) },
		"far":         func(n int) time.Time { return time.Unix(1<<40, 0).Add(time.Duration(n)) },
	} {
		t.Run(name, func(t *testing.T) {
			r, now := newDeviceRing(), begin
			for n := range 1000 {
				now = now.Add(time.Duration(n%7) * 100 * time.Millisecond)
				list := make([]link.Reading, n%4)
				for i := range list {
					list[i].Time = at(n + i)
				}
				r.take(now, list, 5*len(list))
				if got := r.patience(n%60, 55); got < promptly || got > time.Hour {
					t.Fatalf("after frame %d, an answer may wait for %v: %+v", n, got, r)
				}
			}
			for range 3600 { // when that is over
				now = now.Add(time.Second)
				r.take(now, []link.Reading{{Time: now}}, 5)
			}
			if got := r.patience(5, 55); got < time.Second {
				t.Errorf("an answer may wait for %v only: %+v", got, r)
			}
		})
	}
}
