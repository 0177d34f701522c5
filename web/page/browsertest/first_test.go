package browsertest

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sighub/hub"
)

// TestFirstView: over a slow link, as to a small board far away, the page shows devices within a second and a half. How long it takes on a
// machine that does other things, too, is only told; what has to come over the link is less than it carries in less than half of that time.
func TestFirstView(t *testing.T) {
	const (
		most   = 1500 * time.Millisecond
		rate   = 1e6 / 8 // bytes a second
		travel = 10 * time.Millisecond
		bytes  = rate * 0.6
	)
	s := serve(t)
	r := s.client(t, "porch")
	for i := range 40 {
		x := addSender(t, r, fmt.Sprintf("light %d", i), hub.SenderOptions{Events: []string{"lux"}, Units: map[string]string{"lux": "lx"}})
		x.send("lux", i)
	}
	best := time.Hour
	for n := range 3 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			link, came := slow(t, s.addr, rate, travel)
			p := open(t, "http://"+link+"/", "")
			p.until("document.body")
			took := time.Duration(eval[float64](p, `new Promise((done) => {
				const look = () => `+row("porch", "light 10 lux")+`?.querySelector(".value").innerText.startsWith("10") ? done(performance.now()) : requestAnimationFrame(look);
				look();
			})`) * float64(time.Millisecond))
			t.Logf("the first view is there after %v and %d bytes", took.Round(time.Millisecond), came())
			if n := came(); n > bytes {
				t.Errorf("%d bytes come before the first view, and %.0f are the most", n, bytes)
			}
			best = min(best, took)
		})
		if best <= most {
			break
		}
	}
	if best > most && *report > 0 {
		t.Errorf("the first view takes %v, and %v is the most", best, most)
	}
}

// slow returns an address from which connections lead to another one, with so many bytes a second in each direction for all of them
// together, and what tells how many bytes came from there.
func slow(t *testing.T, to string, rate float64, travel time.Duration) (addr string, came func() int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	up, down := new(pipe), new(pipe)
	all.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				_ = near.Close()
				continue
			}
			t.Cleanup(func() { _, _ = near.Close(), far.Close() })
			go up.carry(far, near, rate, travel)
			go down.carry(near, far, rate, travel)
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return l.Addr().String(), down.bytes.Load
}

// A pipe is one direction of a link.
type pipe struct {
	mu   sync.Mutex
	free time.Time // when what was sent has left

	bytes atomic.Int64
}

func (p *pipe) carry(to, from net.Conn, rate float64, travel time.Duration) {
	defer to.Close()
	b := make([]byte, 1460)
	for {
		n, err := from.Read(b)
		if n > 0 {
			p.bytes.Add(int64(n))
			p.mu.Lock()
			if now := time.Now(); p.free.Before(now) {
				p.free = now
			}
			p.free = p.free.Add(time.Duration(float64(n+60) / rate * float64(time.Second))) // with the heads of packets
			at := p.free.Add(travel)
			p.mu.Unlock()
			time.Sleep(time.Until(at) - travel/2) // the next packet is on its way meanwhile
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
