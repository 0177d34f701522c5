package loglimit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sighub/internal/safetext"
)

// A book keeps what is logged, and when.
type book struct {
	mu    sync.Mutex
	kept  []string
	times []time.Time
}

// handler writes into the book.
func (b *book) handler() slog.Handler {
	return slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})
}

func (b *book) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept = append(b.kept, strings.TrimSpace(string(line)))
	b.times = append(b.times, time.Now())
	return len(line), nil
}

func (b *book) lines() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.kept)
}

// mostInAMinute returns the largest number of lines within any minute.
func (b *book) mostInAMinute() (most int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	first := 0
	for i, at := range b.times {
		for at.Sub(b.times[first]) >= time.Minute {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

func (b *book) count(text string) (n int) {
	for _, line := range b.lines() {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// during runs f with a limited logger, in virtual time.
func during(t *testing.T, f func(t *testing.T, h *Handler, log *slog.Logger, b *book)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := new(book)
		h := New(b.handler())
		f(t, h, slog.New(h), b)
		h.Close()
	})
}

func TestConnectionsInALoop(t *testing.T) {
	during(t, func(t *testing.T, h *Handler, log *slog.Logger, b *book) {
		for i := range 5000 {
			client := fmt.Sprintf("name %d (tcp://127.0.0.1:%d)", i, 10000+i)
			log.Info("client connected", "client", client)
			log.Warn("client gone", "client", client, "error", fmt.Errorf("error %d", i))
			time.Sleep(time.Millisecond)
		}
		if len(b.lines()) != 10 {
			t.Errorf("%d lines", len(b.lines()))
		}
		time.Sleep(2 * time.Minute) // nothing else is logged
		for _, want := range []string{
			`level=INFO msg="left out of the log" message="client connected" times=4995 source=tcp://127.0.0.1`,
			`level=WARN msg="left out of the log" message="client gone" times=4995 source=tcp://127.0.0.1`,
		} {
			if b.count(want) != 1 || len(b.lines()) != 12 {
				t.Errorf("%s is not among %q", want, b.lines())
			}
		}
		log.Info("client connected", "client", "a (tcp://127.0.0.1:1)")
		if len(b.lines()) != 13 {
			t.Error("a minute later, nothing passes")
		}
	})
}

// TestStartOfManyDevices: an ordinary start is logged in full, and so are the texts of boot loaders.
func TestStartOfManyDevices(t *testing.T) {
	during(t, func(t *testing.T, h *Handler, log *slog.Logger, b *book) {
		for i := range 30 {
			port := fmt.Sprintf("/dev/ttyUSB%d", i)
			device := log.With("port", port, "device", "porch", "uid", fmt.Sprint(i))
			log.Info("port open", "port", port)
			for range 15 {
				log.Info("device prints", "port", port, "text", "boot")
			}
			device.Info("device connected")
			log.Info("client connected", "client", fmt.Sprintf("porch (serial://%s)", port))
			log.Info("line now runs faster", "port", port)
			log.With("sender", fmt.Sprintf("sensor%d", i), "bus", "I2C1").Info("a sensor has answered")
		}
		if len(b.lines()) != 30*20 {
			t.Errorf("%d lines", len(b.lines()))
		}
	})
}

// TestOneMessage: what happens to all clients at once is told of some of them.
func TestOneMessage(t *testing.T) {
	during(t, func(t *testing.T, h *Handler, log *slog.Logger, b *book) {
		for i := range 1000 {
			log.Info("client gone", "client", fmt.Sprintf("tcp://10.0.%d.%d:1", i/250, i%250))
			log.Info("sensor gone", "sender", fmt.Sprintf("sensor%d", i))
			log.Info("sensor back", "sender", fmt.Sprintf("sensor%d", i))
		}
		if b.count("client gone") != perMessage || b.count("sensor ") != allLocal {
			t.Errorf("%d and %d lines", b.count("client gone"), b.count("sensor "))
		}
		h.Close()
		if b.count(`message="client gone" times=980 source=`) != 1 || b.count(`sources="more than 64"`) != 3 {
			t.Errorf("%q", b.lines()[1020:])
		}
	})
}

// TestTwoWindows: at the end of one window and the beginning of the next, there are no more than a hundred lines either.
func TestTwoWindows(t *testing.T) {
	during(t, func(t *testing.T, h *Handler, log *slog.Logger, b *book) {
		flood := func() {
			for i := range 5000 {
				level := []slog.Level{slog.LevelInfo, slog.LevelError}[i%2]
				say(t, log, level, fmt.Sprintf("kind %d", i%20), slog.String("client", fmt.Sprintf("tcp://10.0.0.%d:1", i%250)))
			}
		}
		log.Info("a window begins", "client", "tcp://10.0.0.1:1")
		time.Sleep(59 * time.Second)
		flood()
		time.Sleep(2 * time.Second)
		flood()
		if n := b.mostInAMinute(); n > 100 || n < 80 {
			t.Errorf("%d lines in a minute", n)
		}
	})
}

// say logs a record whose message is not constant, as it should be.
func say(t *testing.T, log *slog.Logger, level slog.Level, message string, attr slog.Attr) {
	t.Helper()
	r := slog.NewRecord(time.Now(), level, message, 0)
	r.AddAttrs(attr)
	if err := log.Handler().Handle(t.Context(), r); err != nil {
		t.Error(err)
	}
}

func TestErrorsHavePriority(t *testing.T) {
	during(t, func(t *testing.T, h *Handler, log *slog.Logger, b *book) {
		for i := range 1000 {
			say(t, log, slog.LevelWarn, fmt.Sprintf("kind %d", i%10), slog.String("client", fmt.Sprintf("tcp://10.0.0.%d:1", i%250)))
		}
		log.Error("what matters", "client", "tcp://10.0.0.1:2")
		log.Error("what matters on this machine")
		if b.count("what matters") != 2 || len(b.lines()) != networkTotal+2 {
			t.Errorf("%d lines: %q", len(b.lines()), b.lines())
		}
	})
}

// TestHostile: whatever strangers do, a minute has a hundred lines at most, and memory is bounded.
func TestHostile(t *testing.T) {
	levels := []slog.Level{slog.LevelInfo, slog.LevelWarn, slog.LevelError}
	for name, attack := range map[string]func(r *rand.Rand) (string, slog.Attr){
		"many names": func(r *rand.Rand) (string, slog.Attr) {
			return fmt.Sprintf("message %d", r.Int()), slog.String("sender", fmt.Sprint(r.Int()))
		},
		"many addresses": func(r *rand.Rand) (string, slog.Attr) {
			return fmt.Sprintf("kind %d", r.IntN(20)), slog.String("client", fmt.Sprintf("n%d (tcp://10.0.%d.%d:%d)", r.Int(), r.IntN(250), r.IntN(250), r.IntN(60000)))
		},
		"many addresses of a network": func(r *rand.Rand) (string, slog.Attr) {
			return "connected", slog.String("client", fmt.Sprintf("tcp://[2001:db8::%x:%x]:1", r.IntN(65000), r.IntN(65000)))
		},
		"many messages": func(r *rand.Rand) (string, slog.Attr) {
			return fmt.Sprintf("message %d", r.Int()), slog.String("client", "unix:///run/hub.sock")
		},
		"one port": func(r *rand.Rand) (string, slog.Attr) {
			return fmt.Sprintf("kind %d", r.IntN(9)), slog.String("port", "/dev/ttyUSB0")
		},
	} {
		t.Run(name, func(t *testing.T) {
			during(t, func(t *testing.T, h *Handler, log *slog.Logger, b *book) {
				r := rand.New(rand.NewPCG(1, 2))
				for range 50_000 {
					message, attr := attack(r)
					say(t, log, levels[r.IntN(len(levels))], message, attr)
					if r.IntN(4) == 0 {
						time.Sleep(time.Duration(r.IntN(40)) * time.Millisecond)
					}
					h.limiter.mu.Lock()
					n := len(h.limiter.passed) + len(h.limiter.left)
					h.limiter.mu.Unlock()
					if n > 3*(allLocal+networkTotal+moreErrors)+maxMessages {
						t.Fatalf("%d counts", n)
					}
				}
				most := 100
				if name == "many names" { // not of the network
					most = 2*(allLocal+moreErrors) + maxSummaries
				}
				if n := b.mostInAMinute(); n > most {
					t.Errorf("%d lines in a minute", n)
				}
			})
		})
	}
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(book)
		h := New(b.handler())
		log := slog.New(h)
		for range 100 {
			log.Info("again")
			log.Debug("debug") // not limited
		}
		h.Close()
		if b.count("left out") != 1 || b.count(`times=80 source="the hub"`) != 1 || b.count("msg=debug") != 100 {
			t.Errorf("%q", b.lines())
		}
		for range 100 {
			log.Info("later")
		}
	})
}

func TestHarmless(t *testing.T) {
	evil := "cam\x1b[2J\u202e\u009b\u200b\n" + strings.Repeat("x", 3000)
	for name, handler := range map[string]func(io.Writer) slog.Handler{
		"text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
		"json": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			h := New(handler(&out))
			log := slog.New(h)
			log.With("client", evil+" (tcp://10.0.0.1:9)", slog.Group("g", "name", evil)).WithGroup("h").Warn("refused", "error", errors.New(evil),
				"list", []string{evil}, "n", 5, "nil", nil)
			log.Error("panic", "stack", "a\nb\n"+strings.Repeat("y", 5000))
			h.Close()
			lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
			if len(lines) != 2 || len(lines[0]) > 1600 || len(lines[1]) < 5000 {
				t.Errorf("%d lines, of %d bytes and %d", len(lines), len(lines[0]), len(lines[1]))
			}
			for _, line := range lines {
				if err := safetext.Check(line); err != nil {
					t.Errorf("%q: %v", line, err)
				}
			}
			if !strings.Contains(lines[0], "(tcp://10.0.0.1:9)") {
				t.Errorf("the address is cut: %s", lines[0])
			}
		})
	}
}

func TestPlace(t *testing.T) {
	for text, want := range map[string]string{
		"tcp://10.0.0.1:4711": "tcp://10.0.0.1 true", "a (b) (tcp://10.0.0.1:1)": "tcp://10.0.0.1 true", "tcp://[::1]:5": "tcp://::/64 true",
		"tls://10.0.0.1:4711": "tcp://10.0.0.1 true", "a (wss://10.0.0.1:4712)": "tcp://10.0.0.1 true", "ws://[::1]:5": "tcp://::/64 true",
		"a (mqtt://10.0.0.1:4711)": "tcp://10.0.0.1 true", "mqtts://10.0.0.1:1": "tcp://10.0.0.1 true", "mqtt+unix:///run/hub.sock": "unix:///run/hub.sock true",
		"http://10.0.0.1:1": "tcp://10.0.0.1 true", "ws+unix:///run/hub.sock": "unix:///run/hub.sock true",
		"tcp://[fe80::1%eth0]:5": "tcp://fe80::/64 true", "porch (serial:///dev/ttyUSB0)": "serial:///dev/ttyUSB0 false",
		"/dev/ttyUSB0": "/dev/ttyUSB0 false", "": " false", "x (unix:///run/hub.sock)": "unix:///run/hub.sock true", "tcp://nonsense": "tcp://nonsense true",
	} {
		where, network := place(text)
		if got := fmt.Sprint(where, " ", network); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}
