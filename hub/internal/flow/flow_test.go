package flow

import (
	"testing"
	"testing/synctest"
	"time"
)

// A flowClient answers events one after the other, each after a time, at the end of a way.
type flowClient struct {
	each, way time.Duration
	free      time.Time
	sent      []time.Time
	answers   []time.Time
}

func (c *flowClient) take(now time.Time) {
	if at := now.Add(c.way / 2); c.free.Before(at) {
		c.free = at
	}
	c.free = c.free.Add(c.each)
	c.answers = append(c.answers, c.free.Add(c.way-c.way/2))
}

// run offers the flow events for a while, one per pause (0: as many as it takes), and returns how many were answered, and
// the longest that one was on its way in the second half.
func (c *flowClient) run(f *Flow, pause, span time.Duration) (answered int, late time.Duration) {
	begin := time.Now()
	for time.Since(begin) < span {
		for len(c.answers) > 0 && !c.answers[0].After(time.Now()) {
			if took := c.answers[0].Sub(c.sent[0]); time.Since(begin) > span/2 {
				late = max(late, took)
			}
			f.Answered(1)
			answered++
			c.answers, c.sent = c.answers[1:], c.sent[1:]
		}
		for f.Open() {
			f.Sent()
			c.sent = append(c.sent, time.Now())
			c.take(time.Now())
			if pause > 0 {
				break
			}
		}
		next := pause
		if pause == 0 || !f.Open() {
			next = time.Until(c.answers[0])
		}
		time.Sleep(next)
	}
	return answered, late
}

// TestFlow: a client that is fast enough gets all that it takes, however long the way; to one that is not, no more is on
// its way than it answers soon, whatever it was before, and it is never kept waiting.
func TestFlow(t *testing.T) {
	for _, c := range []struct {
		name      string
		each, way time.Duration
		pause     time.Duration
		events    int // a second, at least
		late      time.Duration
	}{
		{"fast and near", 100 * time.Microsecond, time.Millisecond, 0, 9990, 110 * time.Millisecond},
		{"fast and far", 100 * time.Microsecond, 200 * time.Millisecond, 0, 2500, 310 * time.Millisecond},
		{"slow and near", 10 * time.Millisecond, time.Millisecond, 0, 99, 200 * time.Millisecond},
		{"slow and far", 10 * time.Millisecond, 200 * time.Millisecond, 0, 95, 600 * time.Millisecond},
		{"very slow", time.Second, time.Millisecond, 0, 1, 5 * time.Second},
		{"one that comes before the last is answered", 10 * time.Millisecond, time.Millisecond, 5 * time.Millisecond, 99, 200 * time.Millisecond},
		{"not busy", time.Millisecond, 100 * time.Millisecond, 20 * time.Millisecond, 49, 110 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const most, seconds = 512, 20
				f := New(most)
				client := flowClient{each: c.each, way: c.way}
				client.run(&f, c.pause, most*c.each+time.Second) // what was sent at first has been answered
				n, late := client.run(&f, c.pause, seconds*time.Second)
				if n < seconds*c.events || late > c.late {
					t.Errorf("%d events/s, late by %v, window %d", n/seconds, late, f.window)
				}
			})
		})
	}
}

// TestFlowRecovers: a client that is slow for a time, and fast again.
func TestFlowRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(1024)
		client := flowClient{each: 20 * time.Millisecond, way: time.Millisecond}
		client.run(&f, time.Millisecond, time.Minute)
		if f.window > 10 {
			t.Errorf("while it is slow the window is %d", f.window)
		}
		client.each = 10 * time.Microsecond
		client.run(&f, 0, 2*time.Second)
		if f.window < 1024 {
			t.Errorf("when it is fast again the window is %d", f.window)
		}
	})
}

// TestFlowStall: a client that is fast and stands still for a moment, now and then, is not taken for slow.
func TestFlowStall(t *testing.T) {
	for _, pause := range []time.Duration{10 * time.Millisecond, time.Millisecond, 100 * time.Microsecond} {
		synctest.Test(t, func(t *testing.T) {
			const most = 32768
			f := New(most)
			client := flowClient{each: 5 * time.Microsecond, way: time.Millisecond}
			for range 5 {
				client.run(&f, pause, time.Second)
				client.free = time.Now().Add(300 * time.Millisecond)
			}
			client.run(&f, pause, time.Second)
			if f.window < most {
				t.Errorf("one event each %v: the window is %d", pause, f.window)
			}
		})
	}
}

// TestFlowLongerWay: when the way gets longer, the client is not taken for slow for long.
func TestFlowLongerWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(2048)
		client := flowClient{each: 100 * time.Microsecond, way: time.Millisecond}
		client.run(&f, 0, time.Second)
		client.way = 300 * time.Millisecond
		client.run(&f, 0, 8*time.Second)
		if n, _ := client.run(&f, 0, 2*time.Second); n < 2*3000 { // the window allows 2048 each 0.3 s
			t.Errorf("%d events/s, window %d", n/2, f.window)
		}
	})
}

// TestFlowStands: that a client stands still is known after a second, also if it has done so before while one event alone
// was on its way.
func TestFlowStands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(1024)
		for _, pause := range []time.Duration{5 * time.Second, 8 * time.Second, time.Minute} {
			f.Sent()
			time.Sleep(stall)
			if f.Stands() {
				t.Error("it is said to stand still too early")
			}
			time.Sleep(pause - stall)
			if !f.Stands() {
				t.Errorf("it stands still for %v, and that is not known", pause)
			}
			f.Answered(1)
		}
	})
}

// TestLeft: that events wait for others before they leave is not taken for their client's slowness, however long it is.
func TestLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const wait, way = 500 * time.Millisecond, 5 * time.Millisecond
		f := New(64)
		for range 100 {
			for range 60 {
				if !f.Open() {
					t.Fatalf("after %d events, no more are sent", f.InFlight())
				}
				f.Sent()
				time.Sleep(wait / 60)
			}
			f.Left(time.Now())
			time.Sleep(way)
			if f.Late(Delay) || f.Stands() {
				t.Fatal("the client is taken to be late")
			}
			f.Answered(60)
		}
		f.Sent()
		f.Left(time.Now())
		time.Sleep(2 * stall)
		f.Left(time.Now()) // others
		if !f.Stands() {
			t.Error("a client that answers nothing does not stand, as long as others are sent")
		}
	})
}
