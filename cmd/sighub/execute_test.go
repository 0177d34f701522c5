package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/hub"
	"sighub/internal/config"
	"sighub/internal/pipe"

	"go.uber.org/goleak"
)

// try carries out a command line within this process.
func try(ctx context.Context, stdin string, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = execute(ctx, args, &streams{in: strings.NewReader(stdin), out: &lockedWriter{w: &out}, err: &lockedWriter{w: &errs}})
	return code, out.String(), errs.String()
}

func TestDemoLeavesNothing(t *testing.T) {
	defer goleak.VerifyNone(t)
	t.Setenv("TMPDIR", t.TempDir())
	code, stdout, stderr := try(t.Context(), "", "demo", "--for", "2s")
	if code != exitDone || !strings.Contains(stdout, ", 0 lost;") {
		t.Errorf("exit code %d\n%s\n%s", code, stdout, stderr)
	}
	if left, _ := filepath.Glob(filepath.Join(t.TempDir(), "*")); len(left) > 0 {
		t.Errorf("left behind: %s", left)
	}
}

func TestDemoInterrupted(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx, interrupt := context.WithCancel(t.Context())
	first := &signalWriter{text: " lux ", found: interrupt}
	code := execute(ctx, []string{"demo", "--for", "1h"}, &streams{out: first, err: io.Discard})
	if code != exitDone {
		t.Errorf("exit code %d", code)
	}
}

// A signalWriter calls found once it was given a text.
type signalWriter struct {
	mu    sync.Mutex
	text  string
	found func()
}

func (w *signalWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if strings.Contains(string(p), w.text) {
		w.found()
	}
	return len(p), nil
}

// serve runs a hub at a socket until the test ends, and returns its address.
func serve(t *testing.T, args ...string) string {
	t.Helper()
	addr := "unix://" + filepath.Join(t.TempDir(), "hub.sock")
	ctx, stop := context.WithCancel(context.Background())
	listening := make(chan struct{})
	var once sync.Once
	log := &signalWriter{text: "no serial port", found: func() { once.Do(func() { close(listening) }) }}
	code := make(chan int, 1)
	go func() {
		code <- execute(ctx, append([]string{"run", "--serial", "none", "--listen", addr, "--state", t.TempDir()}, args...), &streams{out: io.Discard, err: log})
	}()
	t.Cleanup(func() {
		stop()
		if c := <-code; c != exitDone {
			t.Errorf("the hub exits with %d", c)
		}
	})
	select {
	case <-listening:
	case <-time.After(patience):
		t.Fatal("the hub does not start")
	}
	return addr
}

func TestSendCountsWhatIsRefused(t *testing.T) {
	addr := serve(t)
	code, _, stderr := try(t.Context(), "1\n2\n3\n", "send", "--hub", addr, "a", "b", "-")
	if code != exitDone || stderr != "" {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	code, _, stderr = try(t.Context(), strings.Repeat("x", pipe.MaxLine+1), "send", "--hub", addr, "a", "b", "-")
	if code != exitFailed || !strings.Contains(stderr, "standard input, line 1: ") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	deep := strings.Repeat("[", 100) + strings.Repeat("]", 100)
	code, _, stderr = try(t.Context(), "1\n"+deep+"\n3\n", "send", "--hub", addr, "a", "b", "-")
	if code != exitRefused || !strings.Contains(stderr, "events were not acknowledged") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	code, _, stderr = try(t.Context(), "", "send", "--hub", addr, "a\tb", "c")
	if code != exitRefused || !strings.Contains(stderr, "bad name") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

func TestInterruptedBeforeConnected(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	code, _, stderr := try(ctx, "", "senders", "--hub", serve(t))
	if code != exitFailed || stderr != "sighub: interrupted\n" {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

func TestClosedOutputIsQuiet(t *testing.T) {
	addr := serve(t)
	var errs bytes.Buffer
	code := execute(t.Context(), []string{"version"}, &streams{out: brokenPipe{}, err: &errs})
	if code != exitDone || errs.Len() > 0 {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
	done := make(chan int, 1)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		done <- execute(ctx, []string{"listen", "--hub", addr}, &streams{out: brokenPipe{}, err: io.Discard})
	}()
	for {
		try(t.Context(), "", "send", "--hub", addr, "a", "b", "1")
		select {
		case code := <-done:
			if code != exitDone {
				t.Errorf("exit code %d", code)
			}
			return
		default:
		}
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// TestPoliciesOfTheConfiguration: the configuration knows every policy of the hub, and has one by default.
func TestPoliciesOfTheConfiguration(t *testing.T) {
	for _, policy := range hub.Policies() {
		c, err := config.Parse("x", []byte("limits: {slow_listener: "+string(policy)+"}"))
		if err != nil || c.Limits.SlowListener != policy {
			t.Errorf("%s: %+v, %v", policy, c, err)
		}
	}
	if !slices.Contains(hub.Policies(), config.Default().Limits.SlowListener) {
		t.Error("the default is not a policy")
	}
}

// A lockedWriter is a writer that several goroutines may use.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// TestLostConnectionIsNoSuccess: a connection that breaks is not mistaken for a reader of the output that goes away.
func TestLostConnectionIsNoSuccess(t *testing.T) {
	for _, kind := range []error{carrier.ErrGone, carrier.ErrClosed, unreachableError{carrier.ErrClosed}} {
		if code := exitCode(fmt.Errorf("%w: write: %w", kind, syscall.EPIPE)); code != exitUnreachable {
			t.Errorf("%v: exit code %d", kind, code)
		}
	}
}

// TestWhoDoesNotAnswer: somebody who takes connections and is not a hub is told in plain words, and --timeout counts from the start.
func TestWhoDoesNotAnswer(t *testing.T) {
	for want, meet := range map[string]func(net.Conn){
		"sighub: no answer from a within 300ms\n": func(net.Conn) {},
		": it closes the connection: check that a hub listens there, and whether it takes TLS only, at tls://": func(nc net.Conn) {
			_, _ = nc.Read(make([]byte, 4096)) // without that, it would be reset
			_ = nc.Close()
		},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			for {
				nc, err := l.Accept()
				if err != nil {
					return
				}
				defer nc.Close()
				go meet(nc)
			}
		}()
		_, _, stderr := try(t.Context(), "", "request", "--hub", l.Addr().String(), "--timeout", "300ms", "a", "b")
		if !strings.Contains(stderr, want) || strings.Contains(stderr, "carrier") {
			t.Errorf("it says %q, want %q", stderr, want)
		}
	}
}
