package pipe

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/hub"
	"sighub/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestPlace: numbers ascend with the lines, and tell inputs apart.
func TestPlace(t *testing.T) {
	var a, b place
	for i := range 1000 {
		text := fmt.Sprint("line ", i)
		next := a.next(text)
		if next.pack() <= a.pack() || placeOf(next.pack()) != int64(i+1) {
			t.Fatalf("line %d is %x, after %x", i+1, next.pack(), a.pack())
		}
		a, b = next, b.next(text)
		if a != b {
			t.Fatal("the same input is not the same")
		}
	}
	if x, y := (place{}).next("a").next("bc"), (place{}).next("ab").next("c"); x.pack() == y.pack() {
		t.Error("where lines end makes no difference")
	}
	if p := (place{number: 1<<40 - 1, first: 1<<32 - 1, all: 1<<32 - 1}); p.pack() != 1<<64-1 {
		t.Errorf("%x", p.pack())
	}
}

// A world is a hub with a journal, which can be stopped and started again.
type world struct {
	t    *testing.T
	dir  string
	addr string // of the hub
	stop func()

	reach string // where clients reach it; empty: there

	journal *journal.Journal
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, dir: t.TempDir(), addr: "unix://" + t.TempDir() + "/hub"}
	w.start()
	t.Cleanup(func() { w.stop() })
	return w
}

func (w *world) start() {
	w.t.Helper()
	j, err := journal.Open(w.dir, journal.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.journal = j
	server, err := tcp.Listen(w.addr, tcp.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := hub.NewServerRouter(hub.ServerOptions{Journal: j}).Serve(ctx, server); err != nil {
			w.t.Error(err)
		}
	})
	w.stop = sync.OnceFunc(func() { stop(); serving.Wait() })
}

// send sends an input until ctx is done, and returns what the user was told.
func (w *world) send(ctx context.Context, in io.Reader, codec carrier.Codec) (notes string, err error) {
	w.t.Helper()
	r := hub.NewClientRouter(hub.ClientOptions{})
	serve, stop := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { _ = r.Serve(serve, tcp.NewClient(cmp.Or(w.reach, w.addr), tcp.ClientOptions{Codec: codec})) })
	defer serving.Wait()
	defer stop()
	context.AfterFunc(ctx, stop)
	s, err := Register(w.t.Context(), r, "s", hub.SenderOptions{Events: []string{"n"}, Producer: "id"})
	if err != nil {
		return "", err
	}
	g, err := s.Signal("n")
	if err != nil {
		return "", err
	}
	note := func(format string, args ...any) { notes += fmt.Sprintf(format, args...) + "\n" }
	return notes, SendNumbered(ctx, Options{In: in, Note: note, Router: r, Signal: g}, s, "id")
}

// last returns the last line that the hub has on record.
func (w *world) last() int64 {
	packed, _ := binary.Uvarint(w.journal.State("producer/id"))
	return placeOf(packed)
}

// kept returns the data that the journal has, once the hub has been stopped.
func (w *world) kept() string {
	w.t.Helper()
	w.stop()
	j, err := journal.Open(w.dir, journal.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	defer j.Close()
	r := j.Read(journal.Query{Filter: journal.Only("", "n"), Bounded: true})
	defer r.Close()
	var list []string
	entries := make([]journal.Entry, 64)
	for n := 0; err == nil; n, err = r.Next(w.t.Context(), entries) {
		for _, e := range entries[:n] {
			codec := carrier.CBOR
			if e.JSON {
				codec = carrier.JSON
			}
			list = append(list, carrier.RawValue(codec, e.Data).String())
		}
	}
	return strings.Join(list, " ")
}

func count(n int) (lines string) {
	var b strings.Builder
	for i := range n {
		fmt.Fprintln(&b, i+1)
	}
	return b.String()
}

func TestSendNumbered(t *testing.T) {
	w := newWorld(t)
	for _, step := range []struct {
		in, notes string
		err       string // in the error; empty: none
	}{
		{"\ufeff1\n2\n", "", ""},
		{"1\n2\n", "the hub has the first 2 lines of id on record: they are not sent again\n", ""},
		{"1\n2\n3\n1e999\n5", "the hub has the first 2 lines of id on record: they are not sent again\nstandard input, line 4: ", "1 of 5 events were not acknowledged: standard input, line 4: "},
		{"1\n2\n3\n1e999\n5\n6\n", "the hub has the first 5 lines of id on record: they are not sent again\n", ""},
		{"7\n8\n", "", "the hub has 6 lines of id on record, and line 1 is not what it was: give that input from its beginning"},
		{"1\n2\n4\n5\n6\n7\n8\n", "", "line 6 is not what it was"},
		{"1\n2\n", "", "this one ends with line 2"},
		{count(2) + "3\n1e999\n5\n6\n7\n", "the hub has the first 6 lines of id on record: they are not sent again\n", ""},
	} {
		notes, err := w.send(t.Context(), strings.NewReader(step.in), carrier.CBOR)
		if (err == nil) != (step.err == "") || err != nil && !strings.Contains(err.Error(), step.err) {
			t.Errorf("%q: %v, want %s", step.in, err, step.err)
		}
		if !strings.HasPrefix(notes, step.notes) {
			t.Errorf("%q: the user is told %s, want %s", step.in, notes, step.notes)
		}
		if strings.Contains(step.err, "not what") != errors.Is(err, ErrOtherInput) && !strings.Contains(step.err, "ends") {
			t.Errorf("%q: %v", step.in, err)
		}
	}
	if got := w.kept(); got != "1 2 3 5 6 7" {
		t.Errorf("kept %s", got)
	}
}

// cut makes w's clients reach the hub through lines that are cut after some bytes, in either direction.
func (w *world) cut() {
	w.t.Helper()
	path := w.t.TempDir() + "/cut"
	l, err := net.Listen("unix", path)
	if err != nil {
		w.t.Fatal(err)
	}
	far := strings.TrimPrefix(w.addr, "unix://")
	w.reach = "unix://" + path
	var all sync.WaitGroup
	all.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			hub, err := net.Dial("unix", far)
			if err != nil {
				_ = near.Close()
				continue
			}
			pass := func(to, from net.Conn, most int64) {
				_, _ = io.CopyN(to, from, most)
				_, _ = near.Close(), hub.Close()
			}
			all.Go(func() { pass(hub, near, 1000+rand.Int64N(20_000)) })
			all.Go(func() { pass(near, hub, 500+rand.Int64N(2000)) })
		}
	})
	w.t.Cleanup(func() { _ = l.Close(); all.Wait() })
}

// TestSendNumberedThroughEverything: whatever ends meanwhile, the sender, the hub or the line between them, each line is on record
// once, in order.
func TestSendNumberedThroughEverything(t *testing.T) {
	const lines = 5000
	for _, codec := range []carrier.Codec{carrier.CBOR, carrier.JSON} {
		w := newWorld(t)
		w.cut()
		for runs := 1; ; runs++ {
			ctx, interrupt := context.WithTimeout(t.Context(), time.Duration(100*runs)*time.Millisecond)
			_, err := w.send(ctx, strings.NewReader(count(lines)), codec)
			late := ctx.Err() != nil
			interrupt()
			if err == nil {
				t.Logf("%s: sent in %d runs", codec.Name(), runs)
				break
			}
			if !late && !errors.Is(err, carrier.ErrGone) && !errors.Is(err, hub.ErrNotConnected) {
				t.Fatal(err)
			}
			w.stop()
			w.start()
		}
		if got, want := w.kept(), strings.TrimSpace(strings.ReplaceAll(count(lines), "\n", " ")); got != want {
			t.Errorf("%s: kept %d bytes, want %d", codec.Name(), len(got), len(want))
		}
	}
}

// TestSendNumberedWithoutEnd: what was lost on the way is sent again, although no further line comes.
func TestSendNumberedWithoutEnd(t *testing.T) {
	w := newWorld(t)
	in, out := io.Pipe()
	ctx, interrupt := context.WithCancel(t.Context())
	sent := make(chan error, 1)
	go func() {
		_, err := w.send(ctx, in, carrier.CBOR)
		sent <- err
	}()
	if _, err := io.WriteString(out, count(500)); err != nil {
		t.Fatal(err)
	}
	w.stop()
	w.start()
	for w.last() != 500 {
		time.Sleep(5 * time.Millisecond)
	}
	interrupt()
	if err := <-sent; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	_ = out.Close()
	if got := w.kept(); got != strings.TrimSpace(strings.ReplaceAll(count(500), "\n", " ")) {
		t.Errorf("kept %s", got)
	}
}
