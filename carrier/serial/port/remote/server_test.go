package remote

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// A fakeServer is a server of RFC 2217 that misbehaves as a test says.
type fakeServer struct {
	listener net.Listener
	greeting []byte                               // is sent first
	refuse   bool                                 // the option
	deaf     bool                                 // it says nothing of options
	byByte   bool                                 // it sends single bytes
	answer   func(code byte, value []byte) []byte // what it answers a command; nil: what it was told, which is right
	hangUp   byte                                 // the command at which it closes the connection; 0: none

	mu       sync.Mutex
	commands []string // in the order in which they came, such as "5 9"
	data     []byte   // that came
	wait     *sync.Cond
	conn     net.Conn // the latest
}

func newFakeServer(t *testing.T, s *fakeServer) (path string) {
	t.Helper()
	var err error
	s.listener, err = net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s.wait = sync.NewCond(&s.mu)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := s.listener.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conn = conn
			s.mu.Unlock()
			all.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = s.listener.Close()
		s.mu.Lock()
		if s.conn != nil {
			_ = s.conn.Close()
		}
		s.mu.Unlock()
		all.Wait()
	})
	return RFC2217 + "://" + s.listener.Addr().String()
}

func (s *fakeServer) send(conn net.Conn, b []byte) {
	if !s.byByte {
		_, _ = conn.Write(b)
		return
	}
	for i := range b {
		if _, err := conn.Write(b[i : i+1]); err != nil {
			return
		}
	}
}

func (s *fakeServer) serve(conn net.Conn) {
	defer conn.Close()
	s.send(conn, s.greeting)
	over := false
	d := decoder{
		negotiated: func(verb, option byte) {
			switch {
			case s.deaf:
			case verb == will && option == optCOM && s.refuse:
				s.send(conn, []byte{iac, dont, option})
			case verb == will:
				s.send(conn, []byte{iac, do, option})
			case verb == do:
				s.send(conn, []byte{iac, will, option})
			}
		},
		sub: func(option byte, body []byte) {
			if option != optCOM || len(body) == 0 {
				return
			}
			code, value := body[0], slices.Clone(body[1:])
			s.mu.Lock()
			n := uint64(0)
			for _, b := range value {
				n = n<<8 | uint64(b)
			}
			s.commands = append(s.commands, fmt.Sprint(code, " ", n))
			s.mu.Unlock()
			s.wait.Broadcast()
			if over = s.hangUp != 0 && code == s.hangUp; over {
				return
			}
			if code == comSignature {
				value = []byte("fake\x1b[31m server")
			}
			if s.answer != nil {
				if value = s.answer(code, value); value == nil {
					return
				}
			}
			s.send(conn, appendSub(nil, append([]byte{code + fromServer}, value...)...))
		},
	}
	buf := make([]byte, 512)
	for !over {
		n, err := conn.Read(buf)
		data := d.feed(nil, buf[:n])
		s.mu.Lock()
		s.data = append(s.data, data...)
		s.mu.Unlock()
		s.wait.Broadcast()
		if err != nil {
			return
		}
	}
}

// say sends something to the client that is connected.
func (s *fakeServer) say(b []byte) {
	s.mu.Lock()
	conn := s.conn
	s.mu.Unlock()
	s.send(conn, b)
}

// await waits until data has come, or a command.
func (s *fakeServer) await(t *testing.T, data []byte, command string) {
	t.Helper()
	late := time.AfterFunc(watchdog, func() {
		s.mu.Lock()
		s.data = nil
		s.commands = append(s.commands, "late")
		s.mu.Unlock()
		s.wait.Broadcast()
	})
	defer late.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for !bytes.Equal(s.data, data) || command != "" && !slices.Contains(s.commands, command) {
		if slices.Contains(s.commands, "late") {
			t.Fatalf("waited in vain for %q and %q; have %q", data, command, s.commands)
		}
		s.wait.Wait()
	}
}

func (s *fakeServer) said() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.commands)
}

func baudValue(rate uint32) []byte { return binary.BigEndian.AppendUint32(nil, rate) }
