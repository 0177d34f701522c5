package tcp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/carrier/carriertest"
	"sighub/internal/buffers"
	"sighub/listen"
)

// A streamHandler answers signals as their data says ("no": they fail), and keeps what it was told.
type streamHandler struct {
	*carriertest.Recorder
	later bool          // answers come from another goroutine
	gate  chan struct{} // signals are handled when it is closed; nil: at once
	keeps bool          // the lists of signals that come

	mu       sync.Mutex
	kept     [][]carrier.Signal
	changed  sync.Cond
	heard    []string
	answered int
	failed   []int // which of those answered
	tasks    sync.WaitGroup
}

func newStreamHandler(t testing.TB, name string) *streamHandler {
	h := &streamHandler{Recorder: carriertest.NewRecorder(t, name)}
	h.changed.L = &h.mu
	return h
}

func (h *streamHandler) HandleSignals(_ carrier.ClientID, signals []carrier.Signal, answers carrier.Answers) {
	if h.gate != nil {
		<-h.gate
	}
	if h.keeps {
		answers.(carrier.Swapper).Swap(make([]carrier.Signal, 1))
		carrier.OwnData(signals)
		h.mu.Lock()
		h.kept = append(h.kept, signals)
		h.mu.Unlock()
	}
	signals = carrier.CloneSignals(nil, signals)
	answer := func() {
		for _, s := range signals {
			if s.Data.String() == `"no"` {
				answers.Fail(carrier.Failed(errors.New("refused")))
			} else {
				answers.Done(1)
			}
		}
	}
	h.mu.Lock()
	for _, s := range signals {
		h.heard = append(h.heard, fmt.Sprint(s.Route.Sender, s.Route.Event, s.Route.Listener, " ", s.Data, " ", s.Seq))
	}
	h.changed.Broadcast()
	h.mu.Unlock()
	if h.later {
		h.tasks.Wait() // one at a time keeps the order
		h.tasks.Go(answer)
		return
	}
	answer()
}

func (h *streamHandler) SignalsAnswered(_ carrier.ClientID, n int, failed *carrier.Reply) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if failed != nil {
		if n != 1 || failed.Exception != "refused" {
			h.failed = append(h.failed, -1)
		}
		h.failed = append(h.failed, h.answered)
	}
	h.answered += n
	h.changed.Broadcast()
}

// until waits until cond, which is called with the lock held, is true.
func (h *streamHandler) until(ctx context.Context, t testing.TB, what string, cond func() bool) {
	t.Helper()
	defer context.AfterFunc(ctx, func() { h.mu.Lock(); defer h.mu.Unlock(); h.changed.Broadcast() })()
	h.mu.Lock()
	defer h.mu.Unlock()
	for !cond() {
		if ctx.Err() != nil {
			t.Fatalf("%s: %d heard, %d answered", what, len(h.heard), h.answered)
		}
		h.changed.Wait()
	}
}

// streamEnds are the two ends of a connection that agree to streams.
type streamEnds struct {
	ctx         context.Context
	hub, client *streamHandler
	toClient    carrier.Client
	toHub       carrier.Client
	connector   *Client
}

func serveStreams(t *testing.T, codec carrier.Codec, addr string, later bool) *streamEnds {
	t.Helper()
	e := &streamEnds{hub: newStreamHandler(t, "hub"), client: newStreamHandler(t, "client")}
	e.hub.later, e.client.later = later, later
	s, err := Listen(addr, Options{})
	if err != nil {
		t.Fatal(err)
	}
	e.ctx = serveHandler(t, s, e.hub)
	e.connector = NewClient(s.Addr(), ClientOptions{Codec: codec, Name: "tester"})
	serveHandler(t, e.connector, e.client)
	if e.toClient, err = e.hub.Client(e.ctx); err == nil {
		e.toHub, err = e.client.Client(e.ctx)
	}
	if err != nil || e.toClient.Signals == nil || e.toHub.Signals == nil {
		t.Fatalf("%+v %+v %v", e.toClient, e.toHub, err)
	}
	return e
}

func serveHandler(t testing.TB, c carrier.Carrier, h *streamHandler) context.Context {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := c.Serve(ctx, h); err != nil {
			t.Errorf("Serve: %v", err)
		}
		h.Served()
	}()
	dog, cancel := context.WithTimeout(context.Background(), watchdog)
	t.Cleanup(func() { cancel(); stop(); <-ended; h.tasks.Wait() })
	return dog
}

// TestSignalWindow: either end has so many signals unanswered as the other takes, and no more than it takes itself.
func TestSignalWindow(t *testing.T) {
	for _, c := range []struct{ hub, client, toClient, toHub int }{
		{0, 0, 32768, 32768}, {5, 0, 5, 5}, {0, 7, 7, 7}, {5, 7, 5, 5},
	} {
		atHub, atClient := newStreamHandler(t, "hub"), newStreamHandler(t, "client")
		s, err := Listen(loopback, Options{Limits: Limits{Signals: c.hub}})
		if err != nil {
			t.Fatal(err)
		}
		ctx := serveHandler(t, s, atHub)
		serveHandler(t, NewClient(s.Addr(), ClientOptions{Limits: Limits{Signals: c.client}}), atClient)
		toClient, err := atHub.Client(ctx)
		toHub, err2 := atClient.Client(ctx)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		if a, b := toClient.Signals.Window(), toHub.Signals.Window(); a != c.toClient || b != c.toHub {
			t.Errorf("%+v: %d to the client, %d to the hub", c, a, b)
		}
	}
}

// speakStreams returns a peer of a hub that has said hello and takes so many signals unanswered, and the hub's handler.
func speakStreams(t *testing.T, o Options, window int) (context.Context, *speaker, *streamHandler, carrier.Client) {
	t.Helper()
	h := newStreamHandler(t, "hub")
	s, err := Listen(loopback, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx := serveHandler(t, s, h)
	p := newSpeaker(t, dialRaw(t, s.Addr()))
	p.say(strings.Replace(jsonHello, `"tester"`, fmt.Sprintf(`"tester","signals":%d`, window), 1))
	p.hear(strings.Replace(jsonWelcome, "1048576", fmt.Sprintf(`%d,"signals":32768`, cmp.Or(o.Limits.MaxMessage, 1<<20)), 1))
	c, err := h.Client(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return ctx, p, h, c
}

// TestSignalBytes: packets as they are specified, however they are cut into pieces.
func TestSignalBytes(t *testing.T) {
	ctx, p, h, c := speakStreams(t, Options{Logger: slog.New(slog.DiscardHandler)}, 10)
	for _, exchange := range [][2]string{
		{`[[0,"s","e"],{"n":1}]`, "[1]\n"}, {` [0, 2,"2026-11-22T17:07:47Z",5] `, "[1]\n"}, {`[[1,"t","e"],"no"]`, "[-2,\"refused\"]\n"},
	} {
		for _, b := range []byte(exchange[0]) {
			p.say(string(b))
		}
		p.hear(exchange[1])
	}
	h.until(ctx, t, "three", func() bool { return len(h.heard) == 3 })
	if got := strings.Join(h.heard, ";"); got != `se0 {"n":1} 0;se0 2 0;te0 "no" 0` {
		t.Error(got)
	}
	if c.Signals.Window() != 10 {
		t.Errorf("a window of %d", c.Signals.Window())
	}
	r := &carrier.OutRoute{Route: carrier.Route{Listener: 7, Sender: "s", Event: "e"}}
	var packed carrier.PackedSignal
	for _, want := range []string{`[[0,"s","e",7],"x","2026-11-22T17:07:47Z",0,9]`, `[0,"x","2026-11-22T17:07:47Z",0,9]`} {
		if err := packed.Pack(carrier.JSON, &carrier.Signal{Data: carrier.ValueOf("x"), Time: 1795367267e9, Seq: 9}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Signals.Put(r, &packed); err != nil {
			t.Fatal(err)
		}
		c.Signals.Submit()
		c.Signals.Flush(true)
		p.hear(want + "\n")
	}
	p.say(`[2]`)
	h.until(ctx, t, "the answer", func() bool { return h.answered == 2 })
	p.say(`{"id":1,"method":"echo","params":5}`)
	p.hear(`{"id":1,"status":0,"response":5}` + "\n")
	p.say(`[7,5]`) // a route that was not told
	p.hearEnd()
}

// TestNoStreams: who does not ask for streams has none, and neither has who meets a handler that takes none.
func TestNoStreams(t *testing.T) {
	h := serveHub(t, loopback, Options{}, nil)
	s := h.speaker()
	s.say(strings.Replace(jsonHello, `"tester"`, `"tester","signals":10`, 1))
	s.hear(jsonWelcome)
	s.say(`[[0,"s","e"],1]`)
	s.hearPart(`"status":-4`)
	s.echoes()
	if c, err := h.Client(h.ctx); err != nil || c.Signals != nil {
		t.Error(c.Signals, err)
	}

	streams := newStreamHandler(t, "hub")
	server, err := Listen(loopback, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := serveHandler(t, server, streams)
	p := newSpeaker(t, dialRaw(t, server.Addr()))
	p.say(jsonHello)
	p.hear(jsonWelcome)
	p.say(`[[0,"s","e"],1]`)
	p.hearPart(`"status":-4`)
	if c, err := streams.Client(ctx); err != nil || c.Signals != nil {
		t.Error(c.Signals, err)
	}
}

// TestPutLimits: what is too large, and what is too late.
func TestPutLimits(t *testing.T) {
	e := serveStreams(t, carrier.CBOR, loopback, false)
	r := &carrier.OutRoute{Route: carrier.Route{Sender: "s", Event: "e"}}
	var p carrier.PackedSignal
	if err := p.Pack(carrier.CBOR, &carrier.Signal{Data: carrier.ValueOf(strings.Repeat("x", 1<<20))}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.toHub.Signals.Put(r, &p); !errors.Is(err, carrier.ErrTooLarge) {
		t.Error(err)
	}
	if c, ok := e.toHub.Signals.(*conn); !ok || c.signals.staged != nil {
		t.Error("the memory of what is too large is kept")
	}
	if err := p.Pack(carrier.CBOR, &carrier.Signal{Data: carrier.ValueOf(strings.Repeat("x", 1<<19))}); err != nil {
		t.Fatal(err)
	}
	for range 3 { // larger than a buffer, and than a read
		if _, err := e.toHub.Signals.Put(r, &p); err != nil {
			t.Fatal(err)
		}
		e.toHub.Signals.Submit()
		e.toHub.Signals.Flush(true)
	}
	e.client.until(e.ctx, t, "three", func() bool { return e.client.answered == 3 })
	e.connector.Disconnect(e.toHub.ID, carrier.ErrTimeout)
	if _, err := e.client.Gone(e.ctx, e.toHub.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := e.toHub.Signals.Put(r, &p); !errors.Is(err, carrier.ErrGone) {
		t.Error(err)
	}
	e.toHub.Signals.Submit()
	e.toHub.Signals.Flush(true)
}

// TestFlushWaitsForNobody: a peer that does not read holds nobody up, and gets all when it does.
func TestFlushWaitsForNobody(t *testing.T) {
	h := newStreamHandler(t, "hub")
	s, err := Listen(loopback, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := serveHandler(t, s, h)
	p := newSpeaker(t, dialRaw(t, s.Addr()))
	p.say(strings.Replace(jsonHello, `"tester"`, `"tester","signals":100000`, 1))
	p.hearPart(`"status":0`)
	c, err := h.Client(ctx)
	if err != nil {
		t.Fatal(err)
	}
	r := &carrier.OutRoute{Route: carrier.Route{Sender: "s", Event: "e"}}
	var packed carrier.PackedSignal
	line := strings.Repeat("x", 4000)
	if err := packed.Pack(carrier.JSON, &carrier.Signal{Data: carrier.ValueOf(line)}); err != nil {
		t.Fatal(err)
	}
	n := 0
	for pending := 0; pending < carrier.PendingLimit; n++ {
		if pending, err = c.Signals.Put(r, &packed); err != nil {
			t.Fatal(err)
		}
		c.Signals.Submit()
		c.Signals.Flush(n%2 == 0)
	}
	p.hear(`[[0,"s","e"],"` + line + "\"]\n")
	for range n - 1 {
		p.hear(`[0,"` + line + "\"]\n")
	}
	if _, err := io.WriteString(p.nc, fmt.Sprintf("[%d]", n)); err != nil {
		t.Fatal(err)
	}
	h.until(ctx, t, "the answer", func() bool { return h.answered == n })
}

// TestPatientAnswers: a listener's answers to signals that come one by one in quick succession wait for each other, but
// not for long, and not when the connection ends; those of the hub do not wait at all.
func TestPatientAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		w := &writer{nc: listen.Plain(near), timeout: watchdog, buffers: new(buffers.Pool), failed: func(error) {}, connecting: true}
		var wrote []time.Duration
		begin := time.Now()
		reading := make(chan struct{})
		go func() {
			defer close(reading)
			buf := make([]byte, 64)
			for {
				n, err := far.Read(buf)
				if err != nil {
					return
				}
				wrote = append(wrote, time.Since(begin))
				if n > 8 {
					t.Errorf("% x", buf[:n])
				}
			}
		}()
		done := func(n int) {
			w.done(n)
			synctest.Wait()
		}
		time.Sleep(time.Second)
		done(1)                  // nothing was written lately
		time.Sleep(ackPause / 8) // from here on, nothing happens at the moment at which a timer runs out
		for range 10 {
			time.Sleep(ackPause / 4)
			done(1)
		}
		time.Sleep(ackPause)
		done(1)
		done(ackMost) // too many
		time.Sleep(ackPause / 2)
		done(1)
		time.Sleep(ackLate) // the timer, which was set when the first one waited, writes the last one
		done(1)
		done(1)
		w.flush(time.Now().Add(time.Second)) // the end
		_ = near.Close()
		w.close()
		<-reading
		s, p := time.Second, ackPause
		want := []time.Duration{
			s, s + 9*p/8, s + 17*p/8, s + 29*p/8, s + 29*p/8, s + 3*p/8 + ackLate, s + 33*p/8 + ackLate, s + 33*p/8 + ackLate,
		}
		if !slices.Equal(wrote, want) {
			t.Errorf("written at %v, not %v", wrote, want)
		}
	})
}

// TestPatienceEnds: a timer that has run out while the answers are being written, and waited for anew, does not leave the
// connection waiting for ever.
func TestPatienceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, far) }()
		w := &writer{nc: listen.Plain(near), timeout: watchdog, buffers: new(buffers.Pool), failed: func(error) {}, connecting: true}
		w.mu.Lock()
		w.wrote = time.Now()
		w.signalsDone(1)
		time.Sleep(ackLate) // the timer's function waits for the lock
		w.wrote = time.Now()
		w.signalsDone(ackMost)
		w.acks.done = 0 // they were written
		w.signalsDone(1)
		w.mu.Unlock()
		synctest.Wait()
		w.done(1)
		_ = near.Close()
		w.close()
	})
}

// TestKeptLists: a list of signals that the handler keeps stays as it is, and so does their data.
func TestKeptLists(t *testing.T) {
	h := newStreamHandler(t, "hub")
	h.keeps = true
	s, err := Listen(loopback, Options{})
	if err != nil {
		t.Fatal(err)
	}
	serveHandler(t, s, h)
	p := newSpeaker(t, dialRaw(t, s.Addr()))
	p.say(strings.Replace(jsonHello, `"tester"`, `"tester","signals":10`, 1))
	p.hearPart(`"status":0`)
	for _, say := range []string{`[[0,"s","e"],"a"]`, `[0,"b"]`, `[[1,"t","e"],"c"]`} {
		p.say(say)
		p.hear("[1]\n")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var got []string
	for _, list := range h.kept {
		for _, s := range list {
			got = append(got, s.Route.Sender+" "+s.Data.String())
		}
	}
	if want := []string{`s "a"`, `s "b"`, `t "c"`}; !slices.Equal(got, want) {
		t.Errorf("kept are %q, not %q", got, want)
	}
}
