//go:build linux || darwin

package serial

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/port"
	"sighub/carrier/serial/port/discovery"
)

// A parrot is a Speaker that keeps what it hears.
type parrot struct {
	mu    sync.Mutex
	heard string
	opens int
	ended []error
}

func (p *parrot) Speak(ctx context.Context, line port.Port) error {
	p.mu.Lock()
	p.opens++
	p.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { _ = line.Close() })
	defer stop()
	buffer := make([]byte, 64)
	for {
		n, err := line.Read(buffer)
		p.mu.Lock()
		p.heard += string(buffer[:n])
		if err != nil {
			p.ended = append(p.ended, context.Cause(ctx))
		}
		p.mu.Unlock()
		if err != nil {
			_ = line.Close()
			return err
		}
	}
}

func (p *parrot) Spoken(time.Time) Spoken {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Spoken{Speaks: "parrot", Lines: uint64(strings.Count(p.heard, "\n")), Baud: 300}
	if s.Lines > 0 {
		s.State, s.Since = PortConnected, time.Now()
	}
	return s
}

// await waits until something is so.
func await(t *testing.T, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(watchdog); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it is never so")
		}
	}
}

// TestSpeaker: a port with a speaker of its own is opened, lost and opened again as others are, and the hub's protocol is not spoken
// there. One that is excluded is left alone, though a pattern matches it.
func TestSpeaker(t *testing.T) {
	dir := t.TempDir()
	pty, err := port.NewPTY(filepath.Join(dir, "one"))
	if err != nil {
		t.Fatal(err)
	}
	defer pty.Close()
	alone, err := port.NewPTY(filepath.Join(dir, "two"))
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	var p parrot
	made := ""
	s, err := Listen(Options{
		Ports: []PortOptions{
			{Port: pty.Path(), Baud: 9600, Speaker: func(at discovery.Port) Speaker {
				made += at.Path
				return &p
			}},
			{Port: alone.Path(), Exclude: true},
			{Port: filepath.Join(dir, "*")},
		},
		Logger:  slog.New(slog.DiscardHandler),
		Backoff: carrier.Backoff{Min: time.Millisecond, Max: 10 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	stop := serve(t, s, newRecorder())
	device, err := pty.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	state := func() (i PortInfo) {
		for _, i := range s.Ports() {
			if i.Port == pty.Path() {
				return i
			}
		}
		return PortInfo{}
	}
	await(t, func() bool { return state().State == PortWaiting })
	if _, err := io.WriteString(device, "hello\n"); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool {
		i := state()
		return i.State == PortConnected && i.Spoken != nil && i.Spoken.Lines == 1 && i.Baud == 300
	})
	pty.Cut()
	await(t, func() bool { i := state(); return i.State == PortAbsent && i.Spoken != nil })
	if err := pty.Restore(); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.opens == 2 })
	if ports := s.Ports(); len(ports) != 2 || ports[1].State != PortLeft || made != pty.Path() { // and the one that is excluded
		t.Errorf("%+v, made %s", ports, made)
	}
	stop()
	if len(p.ended) != 2 || p.ended[0] != nil || !errors.Is(p.ended[1], context.Canceled) {
		t.Errorf("%v", p.ended)
	}
}

// TestRecognized: what prints text is told with what it looks like.
func TestRecognized(t *testing.T) {
	i := PortInfo{Port: "/dev/x", text: "a:1\n", Problems: []Problem{{What: textInstead + `"a:1"`, Remedy: "r", cause: causeText}, {What: "other"}}}
	i.recognize(func(path string, _ int, text string) (string, string, bool) { return path, text, true })
	if i.Problems[0].What != `prints text: "a:1"; looks like /dev/x` || i.Problems[0].Remedy != "a:1\n" || i.Problems[1].What != "other" {
		t.Errorf("%+v", i.Problems)
	}
}
