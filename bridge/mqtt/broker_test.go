package mqtt

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sighub/bridge/mqtt/internal/client"
	"sighub/carrier"
	"sighub/carrier/local"
	"sighub/hub"
	"sighub/journal"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimFolder); dir != "" {
		victim(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// A mosquitto is a broker that runs.
type mosquitto struct {
	t    testing.TB
	dir  string
	addr string
	conf string
	cmd  *exec.Cmd
	// prepare changes how the broker is started, and started is called when it is; nil: neither.
	prepare func(*exec.Cmd)
	started func(pid int)
}

// tool returns the path of a program, which must be there.
func tool(t testing.TB, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + name)
	}
	if err != nil {
		t.Fatalf("%s is missing: install it, on Debian with: apt-get install %s", name, pkg)
	}
	return path
}

// startBroker starts a broker that keeps what it has in a folder, written once a second if anything has changed.
func startBroker(t testing.TB, lines ...string) *mosquitto {
	t.Helper()
	m := newBroker(t, freeAddr(t), lines...)
	m.start()
	return m
}

// newBroker returns a broker that is not started.
func newBroker(t testing.TB, addr string, lines ...string) *mosquitto {
	t.Helper()
	m := &mosquitto{t: t, dir: t.TempDir(), addr: addr}
	host, port, _ := strings.Cut(m.addr, ":")
	if host != "127.0.0.1" {
		host = "" // and so at all others
	}
	conf := []string{
		"listener " + port + " " + host, "persistence true", "persistence_location " + m.dir + "/", "autosave_interval 1", "user root",
		"max_queued_messages 0", "max_inflight_messages 1000",
	}
	if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "allow_anonymous") }) {
		conf = append(conf, "allow_anonymous true")
	}
	m.conf = filepath.Join(m.dir, "mosquitto.conf")
	if err := os.WriteFile(m.conf, []byte(strings.Join(append(conf, lines...), "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.kill)
	return m
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (m *mosquitto) start() {
	m.t.Helper()
	m.cmd = exec.Command(tool(m.t, "mosquitto", "mosquitto"), "-c", m.conf) //nolint:noctx // it is killed
	log, err := os.OpenFile(filepath.Join(m.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		m.t.Fatal(err)
	}
	defer log.Close()
	m.cmd.Stdout, m.cmd.Stderr = log, log
	if m.prepare != nil {
		m.prepare(m.cmd)
	}
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	if m.started != nil {
		m.started(m.cmd.Process.Pid)
	}
	eventually(m.t, "the broker listens", func() bool {
		c, err := net.Dial("tcp", m.addr)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

// kill kills the broker, which can do nothing about that.
func (m *mosquitto) kill() {
	if m.cmd != nil {
		_ = m.cmd.Process.Kill()
		_ = m.cmd.Wait()
		m.cmd = nil
	}
}

// stop has the broker end in order, with everything on disk.
func (m *mosquitto) stop() {
	_ = m.cmd.Process.Signal(os.Interrupt)
	_ = m.cmd.Wait()
	m.cmd = nil
}

func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !f(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

// A house is a hub with a journal that is served, and bridges of it.
type house struct {
	t       testing.TB
	hub     *hub.ServerRouter
	journal *journal.Journal
	local   *local.Hub
	more    []carrier.Carrier // that are served too
	log     *testLog
	stops   []func()
}

// newHouse returns a house with a journal in a folder; if that is empty, without one.
func newHouse(t testing.TB, dir string) *house {
	t.Helper()
	if dir == "" {
		return newHouseWith(t, nil)
	}
	j, err := journal.Open(dir, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return newHouseWith(t, j)
}

func newHouseWith(t testing.TB, j *journal.Journal) *house {
	t.Helper()
	h := &house{t: t, journal: j}
	h.hub = hub.NewServerRouter(hub.ServerOptions{Journal: h.journal, Grace: 50 * time.Millisecond})
	h.local = local.NewHub(local.Options{})
	t.Cleanup(h.stop)
	return h
}

// serve serves the hub, with bridges, until stop.
func (h *house) serve(list ...*Bridge) {
	h.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	carriers := append([]carrier.Carrier{h.local}, h.more...)
	for _, b := range list {
		if err := b.Attach(h.hub); err != nil {
			h.t.Fatal(err)
		}
		carriers = append(carriers, b)
	}
	served := make(chan error, 1)
	go func() { served <- h.hub.Serve(ctx, carriers...) }()
	h.stops = append(h.stops, func() {
		cancel()
		if err := <-served; err != nil {
			h.t.Error(err)
		}
	})
}

func (h *house) stop() {
	for _, s := range h.stops {
		s()
	}
	h.stops = nil
}

func (h *house) bridge(o Options) *Bridge {
	h.t.Helper()
	o.Journal = h.journal
	if o.Name == "" {
		o.Name = "up"
	}
	if o.Retry == 0 {
		o.Retry = time.Second
	}
	h.log = new(testLog)
	o.Logger = h.log.logger()
	b, err := New(o)
	if err != nil {
		h.t.Fatal(err)
	}
	return b
}

func (h *house) sender(name string, o hub.SenderOptions) *hub.Sender {
	h.t.Helper()
	s, err := h.hub.AddSender(name, o)
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// report triggers events with these values, which are in the journal when it returns.
func (h *house) report(s *hub.Sender, event string, values ...any) {
	h.t.Helper()
	h.trigger(s, event, values...)
	if h.journal != nil {
		if err := h.journal.Sync(h.t.Context()); err != nil {
			h.t.Fatal(err)
		}
	}
}

// trigger triggers events with these values, and waits for no disk.
func (h *house) trigger(s *hub.Sender, event string, values ...any) {
	h.t.Helper()
	g, err := s.Signal(event)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, v := range values {
		if err := g.Trigger(h.t.Context(), v); err != nil {
			h.t.Fatal(err)
		}
		if h.journal != nil {
			if room := h.journal.Room(); room != nil {
				<-room
			}
		}
	}
}

// A testLog keeps what is logged.
type testLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *testLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *testLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// A listener is a client of the broker that keeps what it hears.
type listener struct {
	t  testing.TB
	c  *client.Client
	mu sync.Mutex
	// list has what was heard: "topic payload", or "topic payload !" if the broker had kept it.
	list []string
	ids  []string
}

func listen(t testing.TB, addr string, topics ...string) *listener {
	t.Helper()
	l := &listener{t: t}
	c, err := client.Connect(t.Context(), client.Options{Addr: addr, ClientID: fmt.Sprint("listener-", time.Now().UnixNano()), Handle: l.hear})
	if err != nil {
		t.Fatal(err)
	}
	l.c = c
	t.Cleanup(func() { c.Close(true) })
	for _, f := range topics {
		if err := c.Subscribe(t.Context(), client.Filter{Topics: f, Kept: true, QoS: 1}); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func (l *listener) hear(m *client.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := m.Topic + " " + string(m.Payload)
	if m.Retain {
		text += " !"
	}
	l.list = append(l.list, text)
	for _, u := range m.User {
		if u.Key == "id" {
			l.ids = append(l.ids, u.Value)
		}
	}
}

// heard returns what was heard at topics that begin with a text.
func (l *listener) heard(prefix string) (list []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.list {
		if strings.HasPrefix(s, prefix) {
			list = append(list, s)
		}
	}
	return list
}

func (l *listener) wait(prefix string, n int) []string {
	l.t.Helper()
	eventually(l.t, fmt.Sprintf("%d messages at %s; there are %q", n, prefix, l.heard(prefix)), func() bool { return len(l.heard(prefix)) >= n })
	return l.heard(prefix)
}

func (l *listener) say(topic, payload string, more ...func(*client.Message)) {
	l.t.Helper()
	m := &client.Message{Topic: topic, Payload: []byte(payload)}
	for _, f := range more {
		f(m)
	}
	if err := l.c.Say(l.t.Context(), m); err != nil {
		l.t.Fatal(err)
	}
}

// kept returns the topics of what the broker has kept.
func kept(t testing.TB, addr, filter string) (list []string) {
	t.Helper()
	l := listen(t, addr, filter, "end")
	l.say("end", "x") // it comes after what was kept
	l.wait("end ", 1)
	for _, s := range l.heard("") {
		if topic, _, _ := strings.Cut(s, " "); strings.HasSuffix(s, " !") {
			list = append(list, topic)
		}
	}
	slices.Sort(list)
	return list
}

// A wire is a proxy in front of a broker, which can be cut, or stand still.
type wire struct {
	addr string
	to   string
	l    net.Listener
	run  sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
	still chan struct{} // nil: what comes is passed on
}

func newWire(t testing.TB, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{addr: l.Addr().String(), to: to, l: l}
	w.run.Go(func() {
		for {
			a, err := l.Accept()
			if err != nil {
				return
			}
			b, err := net.Dial("tcp", to)
			if err != nil {
				_ = a.Close()
				continue
			}
			w.mu.Lock()
			w.conns = append(w.conns, a, b)
			w.mu.Unlock()
			w.run.Go(func() { w.pass(a, b) })
			w.run.Go(func() { w.pass(b, a) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		w.standStill(false)
		w.cut()
		w.run.Wait()
	})
	return w
}

func (w *wire) pass(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		w.mu.Lock()
		still := w.still
		w.mu.Unlock()
		if still != nil {
			<-still
			return // what came meanwhile is lost, as is the connection
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		_ = c.Close()
	}
	w.conns = nil
}

// standStill has nothing pass any more, while both ends seem to be connected.
func (w *wire) standStill(still bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case still && w.still == nil:
		w.still = make(chan struct{})
	case !still && w.still != nil:
		close(w.still)
		w.still = nil
	}
}
