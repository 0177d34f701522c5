package browsertest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sighub/carrier/tcp"
	"sighub/hub"
	"sighub/internal/simulator"
)

// A server is the program, running as a hub.
type server struct {
	t      *testing.T
	dir    string
	addr   string // host:port
	args   []string
	cmd    *exec.Cmd
	log    *syncBuffer
	killed bool
}

type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// serve runs a hub, with further arguments of sighub run, until the test ends.
func serve(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{t: t, dir: t.TempDir(), addr: "127.0.0.1:0", args: args}
	s.start()
	t.Cleanup(func() {
		s.stop(syscall.SIGTERM)
		if t.Failed() {
			t.Logf("the hub said:\n%s", s.log)
		}
	})
	return s
}

var listening = regexp.MustCompile(`listening addr=tcp://(\S+)`)

func (s *server) start() {
	s.t.Helper()
	args := append([]string{"run", "--listen", "tcp://" + s.addr, "--state", s.dir}, s.args...)
	if all := strings.Join(s.args, " "); !strings.Contains(all, "--serial") && !strings.Contains(all, "--config") {
		args = append(args, "--serial", "none")
	}
	s.log = &syncBuffer{}
	s.cmd = exec.Command(program, args...)
	s.cmd.Stderr = s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, "the hub listens", func() bool {
		m := listening.FindStringSubmatch(s.log.String())
		if m != nil {
			s.addr = m[1]
		}
		return m != nil
	})
}

func (s *server) stop(signal syscall.Signal) {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(signal)
	_ = s.cmd.Wait()
	s.cmd = nil
}

func (s *server) url() string { return "http://" + s.addr + "/" }

// client connects to the hub until the test ends.
func (s *server) client(t *testing.T, name string) *hub.ClientRouter {
	t.Helper()
	router := hub.NewClientRouter(hub.ClientOptions{})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = router.Serve(ctx, tcp.NewClient("tcp://"+s.addr, tcp.ClientOptions{Name: name}))
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return router
}

// A sender is a sender of a client.
type sender struct {
	*hub.Sender
	t *testing.T
}

func addSender(t *testing.T, r *hub.ClientRouter, name string, o hub.SenderOptions) sender {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := r.AddRemoteSender(ctx, name, o)
	if err != nil {
		t.Fatal(err)
	}
	return sender{s, t}
}

func (s sender) send(event string, data any) { s.sendAt(event, data, time.Now()) }

func (s sender) sendAt(event string, data any, at time.Time) {
	s.t.Helper()
	signal, err := s.Signal(event)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := signal.TriggerAt(s.t.Context(), data, at, 0); err != nil {
		s.t.Fatal(err)
	}
}

// A board is a simulated device on a pseudo terminal.
type board struct {
	t    *testing.T
	line simulator.PTY
	sim  *simulator.Simulator
	path string
}

// plug makes a device. It reports as soon as a hub opens its port, until the test ends.
func plug(t *testing.T, name string, rate float64, senders ...string) *board {
	t.Helper()
	path := filepath.Join(t.TempDir(), "device")
	line, err := simulator.NewPTY(path)
	if err != nil {
		t.Fatal(err)
	}
	o := simulator.Options{Name: name, Rate: rate, Day: 10 * time.Minute}
	for _, text := range senders {
		if err := o.AddSender(text); err != nil {
			t.Fatal(err)
		}
	}
	sim, err := simulator.New(o, line.Open)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = sim.Run(ctx) // what is not acknowledged when the test ends does not matter
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		_ = line.Close()
	})
	return &board{t, line, sim, path}
}

func (b *board) cut() { b.line.Cut() }

func (b *board) mend() {
	b.t.Helper()
	if err := b.line.Restore(); err != nil {
		b.t.Fatal(err)
	}
}

// patience is for what happens on a busy machine.
const patience = 60 * time.Second

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		if is() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("it does not happen in %s: %s", patience, what)
		}
	}
}

// configure writes a configuration.
func configure(t *testing.T, text string, args ...any) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hub.yaml")
	if err := os.WriteFile(path, fmt.Appendf(nil, text, args...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
