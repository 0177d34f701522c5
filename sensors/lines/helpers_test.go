package lines

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sighub/hub"
	"sighub/sensors/lines/formats"
)

// A bench is a Speaker with a device on its port and a hub that writes down what listeners hear.
type bench struct {
	t       *testing.T
	router  *hub.Router
	speaker *Speaker
	log     *logged

	device  net.Conn
	written *bufio.Scanner // lines that the Speaker writes
	ended   chan error
	stop    context.CancelCauseFunc

	mu    sync.Mutex
	heard []string
}

// newBench runs a test in a bubble, in which time passes when everybody waits.
func newBench(t *testing.T, o Options, test func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, router: hub.NewRouter(hub.Options{}), log: &logged{}}
		if o.Sender == "" {
			o.Sender = "kitchen"
		}
		var err error
		b.speaker, err = New(o, Place{Path: "/dev/x", Router: func() *hub.Router { return b.router }, Logger: slog.New(b.log)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.router.AddListener("", "", b.hear); err != nil {
			t.Fatal(err)
		}
		b.plug()
		test(b)
		if b.device != nil {
			b.unplug()
		}
	})
}

// hear writes down an event: a reading as sender.event = value, others in a form of their own.
func (b *bench) hear(ev hub.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch ev.Name {
	case hub.Connect, hub.Disconnect:
		var c hub.Connection
		if err := ev.Data.Decode(&c); err != nil {
			b.t.Error(err)
		}
		events := slices.DeleteFunc(c.Events, func(e string) bool { return e[0] == '#' })
		for i, e := range events {
			events[i] = strings.TrimSpace(e + " " + c.Units[e])
		}
		said := strings.Fields(ev.Sender + " " + ev.Name + " " + strings.Join(events, ", ") + " " + c.Reason)
		b.heard = append(b.heard, strings.Join(said, " "))
	case hub.Gap:
		var l hub.Loss
		if err := ev.Data.Decode(&l); err != nil {
			b.t.Error(err)
		}
		b.heard = append(b.heard, fmt.Sprintf("%s #gap %d %s %s", ev.Sender, l.Count, l.Event, l.Cause))
	default:
		b.heard = append(b.heard, fmt.Sprintf("%s.%s = %s", ev.Sender, ev.Name, ev.Data))
	}
}

// plug connects the device, and lets the silence pass after which a line is whole.
func (b *bench) plug() {
	b.t.Helper()
	b.open()
	time.Sleep(wholeAfter)
}

// speakAtOnce connects a device that prints at once.
func (b *bench) speakAtOnce(text string) {
	b.t.Helper()
	b.open()
	if _, err := b.device.Write([]byte(text)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) open() {
	var port net.Conn
	b.device, port = net.Pipe()
	b.written = bufio.NewScanner(b.device)
	b.ended = make(chan error, 1)
	var ctx context.Context
	ctx, b.stop = context.WithCancelCause(b.t.Context())
	go func() { b.ended <- b.speaker.Speak(ctx, port) }()
}

// unplug takes the device away.
func (b *bench) unplug() {
	b.t.Helper()
	_ = b.device.Close()
	if err := <-b.ended; err == nil {
		b.t.Error("the port is lost without an error")
	}
	b.device = nil
}

// print has the device print lines.
func (b *bench) print(lines ...string) {
	b.t.Helper()
	for _, line := range lines {
		if _, err := b.device.Write([]byte(line + "\r\n")); err != nil {
			b.t.Fatal(err)
		}
		synctest.Wait()
	}
}

// expect waits until everything is quiet, and compares what was heard since the last time.
func (b *bench) expect(want ...string) {
	b.t.Helper()
	synctest.Wait()
	b.mu.Lock()
	got := b.heard
	b.heard = nil
	b.mu.Unlock()
	if !slices.Equal(got, want) {
		b.t.Errorf("heard\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// read returns the next line that the Speaker writes.
func (b *bench) read() string {
	b.t.Helper()
	_ = b.device.SetReadDeadline(time.Now().Add(2 * time.Hour))
	if !b.written.Scan() {
		b.t.Fatal("nothing is written", b.written.Err())
	}
	return b.written.Text()
}

// request sends a request to a sender, has the device do something meanwhile, and returns the answer.
func (b *bench) request(sender, method string, params any, device func()) string {
	b.t.Helper()
	done := make(chan string, 1)
	go func() {
		v, err := b.router.Request(b.t.Context(), sender, method, params)
		if err != nil {
			done <- "error: " + err.Error()
			return
		}
		done <- v.String()
	}()
	device()
	return <-done
}

// logged is a log that keeps its messages.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }
func (l *logged) WithAttrs([]slog.Attr) slog.Handler               { return l }
func (l *logged) WithGroup(string) slog.Handler                    { return l }
func (l *logged) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool { fmt.Fprintf(&l.text, " %s=%v", a.Key, a.Value); return true })
	l.text.WriteString("\n")
	return nil
}

func (l *logged) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

func options(format string) Options {
	return Options{Options: formats.Options{Format: format}, Baud: 9600}
}

// tunedPort begins a bench with a port whose device prints at one rate.
func (b *bench) tunedPort(o Options, rate int) *tuned {
	b.t.Helper()
	b.router = hub.NewRouter(hub.Options{})
	var err error
	if b.speaker, err = New(o, Place{Path: "/dev/x", Router: func() *hub.Router { return b.router }}); err != nil {
		b.t.Fatal(err)
	}
	return b.again(rate)
}

// again opens such a port.
func (b *bench) again(rate int) *tuned {
	p := &tuned{rate: rate, closed: make(chan struct{}), text: make(chan string)}
	b.ended = make(chan error, 1)
	var ctx context.Context
	ctx, b.stop = context.WithCancelCause(b.t.Context())
	go func() { b.ended <- b.speaker.Speak(ctx, p) }()
	synctest.Wait()
	return p
}
