package nats_test

import (
	"bufio"
	"bytes"
	"net"
	"strconv"
	"sync"
	"testing"

	"sighub/bridge/nats"
	"sighub/hub"
)

// A limbo passes connections on to a server. It can break one, and give the server much later what was on its way, as a line does that
// comes back, or a server that stood still.
type limbo struct {
	net.Listener
	t  *testing.T
	to string

	mu    sync.Mutex
	conns []*strand
	group sync.WaitGroup
}

// A strand is one connection of a limbo.
type strand struct {
	client, server net.Conn
	mu             sync.Mutex
	pong           chan struct{} // the server has answered when the client had gone
	holds          bool
	held           []byte
	begun          []byte // what the client has said of a command that is not whole yet
	messages       int    // whole ones that are held
}

func newLimbo(t *testing.T, to string) *limbo {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &limbo{Listener: l, t: t, to: to}
	p.group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial("tcp", to)
			if err != nil {
				c.Close()
				continue
			}
			one := &strand{client: c, server: s, pong: make(chan struct{}, 8)}
			p.mu.Lock()
			p.conns = append(p.conns, one)
			p.mu.Unlock()
			p.group.Go(one.up)
			p.group.Go(one.down)
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.mu.Lock()
		for _, s := range p.conns {
			s.client.Close()
			s.server.Close()
		}
		p.mu.Unlock()
		p.group.Wait()
	})
	return p
}

// up passes on what the client says, or holds it. When the client has gone, the server does not hear of it while something is held.
func (s *strand) up() {
	buf := make([]byte, 64<<10)
	for {
		n, err := s.client.Read(buf)
		s.mu.Lock()
		messages := s.heard(buf[:n])
		if s.holds {
			s.held = append(s.held, buf[:n]...)
			s.messages += messages
		} else if _, bad := s.server.Write(buf[:n]); bad != nil || err != nil {
			s.server.Close()
		}
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// heard notes what the client says, and returns how many messages are whole now.
func (s *strand) heard(data []byte) (messages int) {
	s.begun = append(s.begun, data...)
	for {
		line, _, whole := bytes.Cut(s.begun, []byte("\r\n"))
		size := len(line) + 2
		words := bytes.Fields(line)
		published := len(words) > 0 && bytes.HasSuffix(words[0], []byte("PUB"))
		if published {
			n, _ := strconv.Atoi(string(words[len(words)-1]))
			size += n + 2
		}
		if !whole || len(s.begun) < size {
			return messages
		}
		if s.begun = s.begun[size:]; published {
			messages++
		}
	}
}

// down passes on what the server says, as long as there is a client.
func (s *strand) down() {
	defer s.client.Close()
	for r := bufio.NewReader(s.server); ; {
		text, err := r.ReadString('\n')
		if err != nil {
			return
		}
		if _, err := s.client.Write([]byte(text)); err != nil && text == "PONG\r\n" {
			s.pong <- struct{}{}
		}
	}
}

// hold has the latest connection hold what the client says from now on.
func (p *limbo) hold() *strand {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.conns[len(p.conns)-1]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holds = true
	return s
}

func (s *strand) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.messages
}

// release gives the server the whole messages that were held, and waits until it has taken them, or left them.
func (p *limbo) release(s *strand) {
	p.t.Helper()
	s.mu.Lock()
	held := append(s.held[:len(s.held)-len(s.begun)], "PING\r\n"...)
	s.mu.Unlock()
	if _, err := s.server.Write(held); err != nil {
		p.t.Fatal(err)
	}
	<-s.pong
	js, end := jetStream(p.t, "nats://"+p.to)
	defer end()
	if _, err := js.Publish(p.t.Context(), "sighub.other.-.-.x", nil); err != nil { // the stream takes it behind all that
		p.t.Fatal(err)
	}
}

// TestLimbo: what was on its way when a connection broke arrives while the bridge begins again, or after it has sent everything on another
// connection. Each event is in the stream once, though the server knows no message by an id.
func TestLimbo(t *testing.T) {
	for name, c := range map[string]struct {
		backlog int
		soon    bool
	}{
		"in a batch": {backlog: 20_000}, "with its beginning": {}, "soon in a batch": {20_000, true}, "soon with its beginning": {0, true},
	} {
		t.Run(name, func(t *testing.T) {
			const first = 100
			b := newBroker(t, "")
			p := newLimbo(t, b.url()[len("nats://"):])
			h := openHouse(t, t.TempDir(), nats.Options{URL: "nats://" + p.Addr().String(), Hub: "kitchen", Stream: nats.Stream{MaxBytes: -1}})
			s := h.sender("s0", hub.SenderOptions{Events: []string{"n"}})
			h.report(s, "n", 1, first)
			h.drained()
			if c.backlog > 0 {
				b.kill()
				h.report(s, "n", first+1, c.backlog)
				b.start()
				until(t, "much has gone up", func() bool { return h.bridge.Status().Sent > uint64(first)+9000 })
			}
			lost := p.hold()
			h.report(s, "n", first+c.backlog+1, 150)
			until(t, "all of it is on its way", func() bool { return lost.count() >= 150 })
			lost.client.Close()
			if c.soon {
				p.release(lost)
			}
			h.drained()
			if !c.soon {
				p.release(lost)
			}
			complete(t, b.read("sighub.kitchen.>"), 1, first+c.backlog+150)
		})
	}
}
