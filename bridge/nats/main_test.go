package nats_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"sighub/bridge/nats"
	"sighub/carrier"
	"sighub/carrier/local"
	"sighub/hub"
	"sighub/journal"
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "sighub-nats")
	if err != nil {
		panic(err)
	}
	serverProgram.dir = dir
	if arguments := os.Getenv(childVariable); arguments != "" {
		child(arguments)
	}
	code := m.Run()
	if err := errors.Join(goleak.Find(), os.RemoveAll(dir)); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// serverProgram is the real nats-server, built from the module of the benchmarks, which has it.
var serverProgram struct {
	once sync.Once
	dir  string
	err  error
}

// serverVariable is where the program is already, for a test in a process of its own.
const serverVariable = "SIGHUB_TEST_SERVER"

func program(t testing.TB) string {
	t.Helper()
	p := &serverProgram
	if path := os.Getenv(serverVariable); path != "" {
		return path
	}
	path := filepath.Join(p.dir, "nats-server")
	p.once.Do(func() {
		out, err := exec.Command("go", "-C", "../../scripts/bench", "build", "-o", path, "github.com/nats-io/nats-server/v2").CombinedOutput()
		if err != nil {
			p.err = fmt.Errorf("nats-server cannot be built: %w: %s", err, out)
		}
	})
	if p.err != nil {
		t.Fatal(p.err)
	}
	return path
}

// A broker is a nats-server, in a process of its own, with JetStream on disk. It can be killed and started again.
type broker struct {
	t      testing.TB
	host   string
	port   int
	folder string
	more   string   // of its configuration
	limit  string   // of JetStream
	around []string // the command that runs it, if any
	run    *exec.Cmd
	used   time.Duration // of processors, by the run that was killed last
}

func newBroker(t testing.TB, more string) *broker {
	t.Helper()
	b := brokerToStart(t)
	b.more = more
	b.start()
	return b
}

func brokerToStart(t testing.TB) *broker {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &broker{t: t, host: "127.0.0.1", port: l.Addr().(*net.TCPAddr).Port, folder: t.TempDir()}
	l.Close()
	t.Cleanup(b.kill)
	return b
}

func (b *broker) url() string { return fmt.Sprintf("nats://%s:%d", b.host, b.port) }

func (b *broker) start() {
	b.t.Helper()
	config := filepath.Join(b.folder, "server.conf")
	text := fmt.Sprintf("listen: %s:%d\njetstream {store_dir: %q\n%s}\nlog_file: %q\n%s\n", b.host, b.port, filepath.Join(b.folder, "store"), b.limit, filepath.Join(b.folder, "log"), b.more)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	command := append(slices.Clone(b.around), program(b.t), "-c", config)
	b.run = exec.Command(command[0], command[1:]...)
	b.run.Stderr = os.Stderr
	if err := b.run.Start(); err != nil {
		b.t.Fatal(err)
	}
	until(b.t, "the server answers", func() bool {
		c, err := net.Dial("tcp", b.url()[len("nats://"):])
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
}

// kill kills the server with SIGKILL.
func (b *broker) kill() {
	if b.run == nil {
		return
	}
	_ = b.run.Process.Kill()
	_ = b.run.Wait()
	b.used = b.run.ProcessState.UserTime() + b.run.ProcessState.SystemTime()
	b.run = nil
}

// forgetful makes a stream in which the server soon forgets the ids of messages, as after a long outage.
func (b *broker) forgetful() {
	b.t.Helper()
	b.makeStream(200 * time.Millisecond)
}

// jetStream connects to a server, until end is called.
func jetStream(t testing.TB, url string) (js jetstream.JetStream, end func()) {
	t.Helper()
	conn, err := natsgo.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	if js, err = jetstream.New(conn); err != nil {
		conn.Close()
		t.Fatal(err)
	}
	return js, conn.Close
}

// makeStream makes the stream. The server knows the ids of messages for so long.
func (b *broker) makeStream(repeats time.Duration) {
	b.t.Helper()
	js, end := jetStream(b.t, b.url())
	defer end()
	_, err := js.CreateStream(context.Background(), jetstream.StreamConfig{
		Name: "sighub", Subjects: []string{"sighub.>"}, AllowBatchPublish: true, AllowDirect: true, Duplicates: repeats,
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// until waits until something is so.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !is(); {
		if time.Now().After(end) {
			t.Fatalf("not in a minute: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// A house is a hub with a journal and a bridge.
type house struct {
	t      testing.TB
	hub    *hub.ServerRouter
	kept   *journal.Journal
	bridge *nats.Bridge
	local  *local.Hub
	stop   func()
}

// logger writes what is logged to the test's output if somebody wants to see it.
func logger() *slog.Logger {
	if os.Getenv("SIGHUB_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(io.Writer(os.Stderr), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func openHouse(t testing.TB, dir string, o nats.Options) *house {
	t.Helper()
	return openHouseWith(t, dir, o, journal.Options{Logger: logger()})
}

// openSmallHouse has little on disk, so that there can be many.
func openSmallHouse(t testing.TB, dir string, o nats.Options) *house {
	t.Helper()
	return openHouseWith(t, dir, o, journal.Options{Logger: logger(), Size: 4 << 20, Segment: 256 << 10})
}

func openHouseWith(t testing.TB, dir string, o nats.Options, options journal.Options) *house {
	t.Helper()
	j, err := journal.Open(dir, options)
	if err != nil {
		t.Fatal(err)
	}
	return houseWith(t, j, o)
}

func houseWith(t testing.TB, j *journal.Journal, o nats.Options) *house {
	t.Helper()
	return houseAt(t, j, o, nil)
}

// houseAt has another clock; nil: that of the machine.
func houseAt(t testing.TB, j *journal.Journal, o nats.Options, now func() time.Time) *house {
	t.Helper()
	h := &house{t: t, kept: j, local: local.NewHub(local.Options{})}
	if o.Journal = j; o.Logger == nil {
		o.Logger = logger()
	}
	var err error
	h.bridge, err = nats.New(o)
	if err != nil {
		t.Fatal(err)
	}
	h.hub = hub.NewServerRouter(hub.ServerOptions{
		Options: hub.Options{Logger: logger(), Now: now}, Journal: j, Grace: 100 * time.Millisecond,
		Methods: map[string]hub.Method{"bridges": func(context.Context, carrier.Value) (any, error) { return h.bridge.Status(), nil }},
	})
	if err := h.bridge.Attach(h.hub); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.hub.Serve(ctx, h.local, h.bridge) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(h.stop)
	return h
}

// heardUpTo returns the number of the message up to which everything was heard, as the journal has it with the time of that message; 0 if it
// has not.
func (h *house) heardUpTo() (number uint64) {
	var stream string
	var taken int64
	n, _ := fmt.Sscan(string(h.kept.State("nats/"+h.bridge.Status().Name+"/")), &stream, &number, &taken)
	if n < 3 || taken == 0 {
		return 0
	}
	return number
}

func (h *house) sender(name string, o hub.SenderOptions) *hub.Sender {
	h.t.Helper()
	s, err := h.hub.AddSender(name, o)
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// report triggers n events with numbers from first on.
func (h *house) report(s *hub.Sender, event string, first, n int) {
	h.t.Helper()
	g, err := s.Signal(event)
	if err != nil {
		h.t.Fatal(err)
	}
	for i := range n {
		if err := g.Trigger(context.Background(), first+i); err != nil {
			h.t.Fatal(err)
		}
		if room := h.kept.Room(); room != nil {
			<-room
		}
	}
}

// drained waits until everything has gone up, for as long as something does.
func (h *house) drained() {
	h.t.Helper()
	if err := h.kept.Sync(context.Background()); err != nil {
		h.t.Fatal(err)
	}
	defer func() {
		if h.t.Failed() {
			h.t.Logf("%+v", h.bridge.Status())
		}
	}()
	for st := h.bridge.Status(); st.Lag > 0; {
		before := st
		until(h.t, "something more goes up", func() bool {
			st = h.bridge.Status()
			return st.Lag == 0 || st.Lag != before.Lag || st.Sent != before.Sent
		})
	}
}

// A message is what a consumer finds in the stream.
type message struct {
	subject, data         string
	epoch, seq            uint64
	position, journal, at string
	sent                  string
	streamSequence        uint64
}

// read reads the whole stream, as any other client of the server does.
func (b *broker) read(filter string) (list []message) {
	b.t.Helper()
	js, end := jetStream(b.t, b.url())
	defer end()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	c, err := js.CreateConsumer(ctx, "sighub", jetstream.ConsumerConfig{FilterSubject: filter, AckPolicy: jetstream.AckNonePolicy})
	if err != nil {
		b.t.Fatal(err)
	}
	for left := c.CachedInfo().NumPending; left > 0; {
		some, err := c.Fetch(int(min(left, 500)))
		if err != nil {
			b.t.Fatal(err)
		}
		for m := range some.Messages() {
			list = append(list, messageOf(b.t, m))
			left--
		}
		if some.Error() != nil {
			b.t.Fatal(some.Error())
		}
	}
	return list
}

func messageOf(t testing.TB, m jetstream.Msg) message {
	t.Helper()
	head := m.Headers()
	out := message{
		subject: m.Subject(), data: string(m.Data()), position: head.Get(nats.HeaderPosition),
		journal: head.Get(nats.HeaderJournal), at: head.Get(nats.HeaderTime), sent: head.Get(nats.HeaderSent),
	}
	if _, err := fmt.Sscan(head.Get(nats.HeaderEpoch)+" "+head.Get(nats.HeaderSeq), &out.epoch, &out.seq); err != nil {
		t.Fatalf("%s has the headers %v: %v", m.Subject(), head, err)
	}
	if meta, err := m.Metadata(); err == nil {
		out.streamSequence = meta.Sequence.Stream
	}
	return out
}
