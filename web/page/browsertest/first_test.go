package browsertest

import (
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"sighub/hub"
)

// TestFirstView: over a slow link, as to a small board far away, the page shows devices within a second and a half.
func TestFirstView(t *testing.T) {
	const (
		most   = 1500 * time.Millisecond
		rate   = 1e6 / 8 // bytes a second
		travel = 10 * time.Millisecond
	)
	s := serve(t)
	r := s.client(t, "porch")
	for i := range 40 {
		x := addSender(t, r, fmt.Sprintf("light %d", i), hub.SenderOptions{Events: []string{"lux"}, Units: map[string]string{"lux": "lx"}})
		x.send("lux", i)
	}
	best := time.Hour
	for n := range 6 { // the machine does other things, too
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			link := slow(t, s.addr, rate, travel)
			p := open(t, "http://"+link+"/", "")
			p.until("document.body")
			took := time.Duration(eval[float64](p, `new Promise((done) => {
				const look = () => `+row("porch", "light 10 lux")+`?.querySelector(".value").innerText.startsWith("10") ? done(performance.now()) : requestAnimationFrame(look);
				look();
			})`) * float64(time.Millisecond))
			t.Logf("the first view is there after %v", took.Round(time.Millisecond))
			best = min(best, took)
		})
		if best <= most {
			break
		}
	}
	if best > most {
		t.Errorf("the first view takes %v, and %v is the most", best, most)
	}
}

// slow returns an address from which connections lead to another one, with so many bytes a second in each direction for all of them
// together.
func slow(t *testing.T, to string, rate float64, travel time.Duration) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var up, down pipe
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
	return l.Addr().String()
}

// A pipe is one direction of a link.
type pipe struct {
	mu   sync.Mutex
	free time.Time // when what was sent has left
}

func (p *pipe) carry(to, from net.Conn, rate float64, travel time.Duration) {
	defer to.Close()
	b := make([]byte, 1460)
	for {
		n, err := from.Read(b)
		if n > 0 {
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
