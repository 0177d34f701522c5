package nats_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sighub/bridge/nats"
	"sighub/hub"
	"sighub/journal"
)

// childVariable has the test program be a hub: its value is a folder and the address of a server.
const childVariable = "SIGHUB_TEST_CHILD"

const childSenders = 3

// childLive is behind the address if what happens now goes first, in three of four runs.
const childLive = " live"

// child is a hub in a process of its own, which can be killed. In each run, another sender's events may go first. Each of its senders goes on with the number after the last one on record,
// until the process is told to end.
func child(arguments string) {
	arguments, live := strings.CutSuffix(arguments, childLive)
	dir, url, _ := strings.Cut(arguments, " ")
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	t := new(childTB)
	first := fmt.Sprint("s", rand.IntN(childSenders)) //nolint:gosec // another one in each run
	h := openHouse(t, dir, nats.Options{
		URL: url, Hub: "kitchen", First: []func(string) bool{func(s string) bool { return s == first }},
		Live: live && rand.IntN(4) > 0, //nolint:gosec // likewise
	})
	next := make([]int, childSenders)
	err := h.kept.Last(func(topic journal.Topic) bool { return topic.Event == "n" }, func(e *journal.Entry) error {
		ev := hub.EventOf(e, time.Time{}, time.Time{})
		i, err := strconv.Atoi(e.Sender[1:])
		if err == nil {
			err = ev.Data.Decode(&next[i])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var senders []*hub.Sender
	for i := range childSenders {
		senders = append(senders, h.sender(fmt.Sprint("s", i), hub.SenderOptions{Events: []string{"n"}}))
	}
	for tick := time.Tick(5 * time.Millisecond); ctx.Err() == nil; {
		for i, s := range senders {
			h.report(s, "n", next[i]+1, 40)
			next[i] += 40
		}
		<-tick
	}
	h.stop()
	os.Exit(0)
}

// A childTB stands for the test in a process that the test has started.
type childTB struct{ testing.TB }

func (*childTB) Helper()        {}
func (*childTB) Cleanup(func()) {}
func (*childTB) Failed() bool   { return false }
func (*childTB) Error(args ...any) {
	fmt.Fprintln(os.Stderr, args...)
	os.Exit(1)
}
func (t *childTB) Fatal(args ...any)                 { t.Error(args...) }
func (t *childTB) Fatalf(format string, args ...any) { t.Error(fmt.Sprintf(format, args...)) }

// A line passes connections on to a server. It can be cut, and it can stand still.
type line struct {
	net.Listener
	to string

	mu    sync.Mutex
	conns map[net.Conn]bool
	still chan struct{} // nil: data passes
	group sync.WaitGroup
}

func newLine(t *testing.T, to string) *line {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &line{Listener: l, to: to, conns: make(map[net.Conn]bool)}
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
			p.group.Go(func() { p.pass(c, s) })
			p.group.Go(func() { p.pass(s, c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.cut()
		p.group.Wait()
	})
	return p
}

func (p *line) pass(from, to net.Conn) {
	p.mu.Lock()
	p.conns[from] = true
	p.mu.Unlock()
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		still := p.still
		p.mu.Unlock()
		if still != nil {
			<-still
		}
		if err != nil {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// cut ends all connections; what is on its way is lost.
func (p *line) cut() {
	p.mu.Lock()
	for c := range p.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		c.Close()
	}
	clear(p.conns)
	still := p.still
	p.still = nil
	p.mu.Unlock()
	if still != nil {
		close(still)
	}
}

// stop has nothing pass, as on a line that is half open, until it is cut.
func (p *line) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.still == nil {
		p.still = make(chan struct{})
	}
}

// outages is how many outages TestOutages has; SIGHUB_TEST_OUTAGES says another number.
func outages(t *testing.T) int {
	n, err := strconv.Atoi(cmp.Or(os.Getenv("SIGHUB_TEST_OUTAGES"), "12"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestOutages: the hub and the server are killed at random, and the line between them is cut or stands still. At the end, each event
// that is on record is in the stream once, in order.
func TestOutages(t *testing.T) {
	b, on := suffer(t, filepath.Join(t.TempDir(), "journal"), "")
	if n := completeRows(t, b.read("")); n != on {
		t.Errorf("%d numbers are on record, and %d are in the stream", on, n)
	}
}

// suffer has a hub go through outages, and then send what is left. It returns how many numbers the hub has on record.
func suffer(t *testing.T, dir, live string) (b *broker, on int) {
	t.Helper()
	b = newBroker(t, "")
	b.forgetful()
	p := newLine(t, b.url()[len("nats://"):])
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // it need not be secret
	var run *exec.Cmd
	begin := func() {
		run = exec.Command(os.Args[0], "-test.run=^$")
		run.Env = append(os.Environ(), childVariable+"="+dir+" nats://"+p.Addr().String()+live)
		run.Stdout, run.Stderr = os.Stderr, os.Stderr
		if err := run.Start(); err != nil {
			t.Fatal(err)
		}
	}
	killHub := func() {
		_ = run.Process.Kill()
		_ = run.Wait()
	}
	begin()
	defer func() {
		if run.ProcessState == nil {
			killHub()
		}
	}()
	counts := make(map[string]int)
	for range outages(t) {
		time.Sleep(time.Duration(100+random.IntN(500)) * time.Millisecond) // how long there is no outage
		switch what := random.IntN(5); what {
		case 0:
			counts["server killed"]++
			b.kill()
			time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond)
			b.start()
		case 1:
			counts["hub killed"]++
			killHub()
			begin()
		case 2:
			counts["both killed"]++
			b.kill()
			killHub()
			begin()
			time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond)
			b.start()
		case 3:
			counts["line cut"]++
			p.cut()
		case 4:
			counts["line still"]++
			p.stop()
			time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
			p.cut()
		}
	}
	if err := run.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := run.Wait(); err != nil && run.ProcessState.Sys() != syscall.WaitStatus(syscall.SIGTERM) { // it had only begun
		t.Fatal(err)
	}
	h := openHouse(t, dir, nats.Options{URL: b.url(), Hub: "kitchen"}) // the next run, which sends what is left
	h.drained()
	h.stop()
	t.Logf("%v", counts)
	j, err := journal.Open(dir, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	err = j.Last(func(topic journal.Topic) bool { return topic.Event == "n" }, func(e *journal.Entry) error {
		n := 0
		ev := hub.EventOf(e, time.Time{}, time.Time{})
		err := ev.Data.Decode(&n)
		on += n
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b, on
}

// completeRows checks that the numbers of each sender count up by one, over all its connections, and returns how many there are.
func completeRows(t *testing.T, list []message) (n int) {
	t.Helper()
	next := make(map[string]int)
	for _, m := range list {
		if !strings.HasSuffix(m.subject, ".n") {
			continue
		}
		number, err := strconv.Atoi(m.data)
		if err != nil || number != next[m.subject]+1 {
			t.Fatalf("%s: %s comes after %d", m.subject, m.data, next[m.subject])
		}
		next[m.subject] = number
		n++
	}
	if len(next) != childSenders {
		t.Errorf("%d senders", len(next))
	}
	return n
}

// TestNoRoom: while the server has no room, nothing is lost and the bridge says what to do; when there is some, everything goes up.
func TestNoRoom(t *testing.T) {
	b := newBroker(t, "")
	b.limit = "max_file_store: 64KB"
	b.kill()
	b.start()
	h := openHouse(t, t.TempDir(), nats.Options{URL: b.url(), Hub: "kitchen", Stream: nats.Stream{MaxBytes: -1}})
	s := h.sender("s0", hub.SenderOptions{Events: []string{"n"}})
	h.report(s, "n", 1, 5000)
	until(t, "the bridge says that there is no room", func() bool {
		st := h.bridge.Status()
		return strings.Contains(st.Error, "resources") && strings.Contains(st.Remedy, "no room")
	})
	b.kill()
	b.limit = ""
	b.start()
	h.drained()
	complete(t, b.read(""), 1, 5000)
}

// TestTooLarge: an event that the server does not take is told as a gap, and holds nothing up.
func TestTooLarge(t *testing.T) {
	b := newBroker(t, "max_payload: 4KB")
	h := openHouse(t, t.TempDir(), nats.Options{URL: b.url(), Hub: "kitchen"})
	s := h.sender("s0", hub.SenderOptions{Events: []string{"n", "text"}})
	h.report(s, "n", 1, 1)
	g, err := s.Signal("text")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Trigger(t.Context(), strings.Repeat("x", 5000)); err != nil {
		t.Fatal(err)
	}
	h.report(s, "n", 2, 1)
	h.drained()
	list := b.read("")
	complete(t, list, 1, 2)
	if m := list[2]; len(list) != 4 || m.subject != "sighub.kitchen.-.s0.#gap" || !strings.Contains(m.data, `"event":"text"`) || !strings.Contains(m.data, `"size"`) {
		t.Errorf("in its place is %+v", m)
	}
	if st := h.bridge.Status(); st.Refused != 1 {
		t.Errorf("%+v", st)
	}
}
