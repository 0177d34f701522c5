package hub

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/journal"
)

// A keepingWorld is a messageWorld with a journal, which commits when the test says so.
type keepingWorld struct {
	*messageWorld
	dir string
	end func()
}

// newKeepingWorld returns a world whose journal is in a folder.
func newKeepingWorld(t *testing.T, dir string, o ServerOptions) *keepingWorld {
	j, err := journal.Open(dir, journal.Options{Segment: 1 << 20, Size: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	o.Journal = j
	w := &keepingWorld{messageWorld: newMessageWorld(t, o), dir: dir}
	ctx, stop := context.WithCancel(context.Background())
	var once sync.Once
	w.end = func() {
		once.Do(func() {
			w.messageWorld.end()
			stop()
			_ = w.journal.serve(ctx) // what waits is committed, and nothing answered
		})
	}
	return w
}

// commit has what waits committed and answered.
func (w *keepingWorld) commit() {
	ctx, stop := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { w.journal.book.Serve(ctx) })
	w.journal.book.End(1<<40, false)
	synctest.Wait()
	stop()
	serving.Wait()
}

// kept ends the world, and lists what the journal has of its sender s, without its coming and going, and its marks.
func (w *keepingWorld) kept(marks ...string) (list []string) {
	w.t.Helper()
	w.end()
	j, err := journal.Open(w.dir, journal.Options{Segment: 1 << 20, Size: 8 << 20})
	if err != nil {
		w.t.Fatal(err)
	}
	defer j.Close()
	r := j.Read(journal.Query{Filter: journal.Only("s", ""), Bounded: true})
	defer r.Close()
	entries := make([]journal.Entry, 64)
	for n := 0; err == nil; n, err = r.Next(context.Background(), entries) {
		for _, e := range entries[:n] {
			if name := e.Event.Event; name != Connect && name != Disconnect {
				list = append(list, fmt.Sprintf("%s %s", name, e.Data))
			}
		}
	}
	for _, key := range marks {
		if state := j.State(key); state != nil {
			list = append(list, fmt.Sprintf("%s=%s", key, state))
		}
	}
	return list
}

// others lists what the journal has of the sender other, when the world has ended.
func (w *keepingWorld) others() (list []string) {
	w.t.Helper()
	j, err := journal.Open(w.dir, journal.Options{Segment: 1 << 20, Size: 8 << 20})
	if err != nil {
		w.t.Fatal(err)
	}
	defer j.Close()
	r := j.Read(journal.Query{Filter: journal.Only("other", ""), Bounded: true})
	defer r.Close()
	entries := make([]journal.Entry, 64)
	for n := 0; err == nil; n, err = r.Next(context.Background(), entries) {
		for _, e := range entries[:n] {
			list = append(list, e.Sender+" "+e.Event.Event)
		}
	}
	return list
}

func (w *keepingWorld) want(list []string, want ...string) {
	w.t.Helper()
	if !slices.Equal(list, want) {
		w.t.Errorf("%q, want %q", list, want)
	}
}

// frameAnswers are the answers to a frame that belongs to a mark.
type frameAnswers struct {
	orderedAnswers
	mark  carrier.Mark
	asked atomic.Int32
}

func (a *frameAnswers) Mark() carrier.Mark {
	a.asked.Add(1)
	return a.mark
}

// frame hands signals of the sender s on, as one frame with a mark: their events.
func (w *keepingWorld) frame(id carrier.ClientID, mark string, events ...string) *frameAnswers {
	a := &frameAnswers{mark: carrier.Mark{Key: "link", State: []byte(mark)}}
	var list []carrier.Signal
	for i, event := range events {
		data := carrier.RawValue(carrier.JSON, fmt.Append(nil, i))
		list = append(list, carrier.Signal{Route: &carrier.Route{Sender: "s", Event: event}, Data: data})
	}
	w.handler.HandleSignals(id, list, a)
	return a
}

// inBubble calls use with a world in a bubble of synctest.
func inBubble(t *testing.T, o ServerOptions, use func(w *keepingWorld)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := newKeepingWorld(t, dir, o)
		defer w.end()
		use(w)
	})
}

// TestFrameIsKept: a frame is answered when it is on disk, and not before, in its order, with what is refused.
func TestFrameIsKept(t *testing.T) {
	inBubble(t, ServerOptions{}, func(w *keepingWorld) {
		id, _ := w.reporter("s")
		a := w.frame(id, "1", "x", "nothing", "y")
		b := w.frame(id, "2", "nothing")
		synctest.Wait()
		if got := a.String() + b.String(); got != "" {
			t.Errorf("answered before it is on disk: %s", got)
		}
		w.commit()
		if got := a.String() + ", " + b.String(); got != "done failed done, failed" {
			t.Errorf("answered %s", got)
		}
		if a.asked.Load() != 1 || b.asked.Load() != 1 {
			t.Errorf("the marks were asked for %d and %d times", a.asked.Load(), b.asked.Load())
		}
		w.want(w.kept("link"), "x 0", "#gap "+w.gap(1), "y 2", "#gap "+w.gap(1), "link=2")
	})
}

// gap returns the data of a gap of the event nothing as it is kept.
func (w *keepingWorld) gap(count uint64) string {
	at := time.Now().UTC()
	raw, err := carrier.ValueOf(Loss{Count: count, First: at, Last: at, Event: "nothing", Cause: "event"}).AppendTo(nil, carrier.CBORText)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(raw)
}

// TestFrameIsKeptWhole: whatever interrupts a frame, its events and its mark are in one commit.
func TestFrameIsKeptWhole(t *testing.T) {
	for _, test := range []struct {
		name string
		o    ServerOptions
		// interrupt is called before the frame "x y x" is handed on, and after that what it returns.
		interrupt func(w *keepingWorld, s *Sender) func()
		answered  string // before the commit
	}{
		{"slow listener", ServerOptions{Outbox: OutboxOptions{Limit: 2, Deadline: time.Second}}, func(w *keepingWorld, s *Sender) func() {
			w.stuck(s, "y")
			return func() { time.Sleep(2 * time.Second) }
		}, ""},
		{"slow listener of the last", ServerOptions{Outbox: OutboxOptions{Limit: 2, Deadline: time.Second}}, func(w *keepingWorld, s *Sender) func() {
			w.stuck(s, "x")
			return func() { time.Sleep(2 * time.Second) }
		}, ""},
		{"callback", ServerOptions{}, func(w *keepingWorld, _ *Sender) func() {
			gate := make(chan struct{})
			if _, err := w.AddListener("s", "y", func(Event) { <-gate }); err != nil {
				w.t.Fatal(err)
			}
			return func() { close(gate) }
		}, ""},
		{"another's turn", ServerOptions{}, func(_ *keepingWorld, s *Sender) func() {
			s.topic.turn.Store(taken)
			return func() { s.topic.endTurn() }
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, test.o, func(w *keepingWorld) {
				id, s := w.reporter("s")
				then := test.interrupt(w, s)
				a := w.frame(id, "1", "x", "y", "x")
				synctest.Wait()
				if a.asked.Load() > 0 {
					t.Error("the mark was asked for before the end of the frame")
				}
				then()
				synctest.Wait()
				if a.asked.Load() != 1 || a.String() != "" {
					t.Errorf("the mark was asked for %d times; answered: %q", a.asked.Load(), a.String())
				}
				w.commit()
				if got := a.String(); got != "done done done" {
					t.Errorf("answered %q", got)
				}
				list := w.kept("link")
				w.want(list[len(list)-4:], "x 0", "y 1", "x 2", "link=1")
			})
		})
	}
}

// TestFrameAtShutdown: a frame that the hub does not answer, because it shuts down, leaves neither events nor a mark: it comes
// again.
func TestFrameAtShutdown(t *testing.T) {
	inBubble(t, ServerOptions{}, func(w *keepingWorld) {
		id, _ := w.reporter("s")
		a := w.frame(id, "1", "x")
		w.done(id, "add_sender", `{"sender":"other","events":["x"]}`)
		w.disconnect(w.handler.client(id).senders["s"], "test")
		w.Router.mu.Lock()
		w.closed = true
		w.Router.mu.Unlock()
		b := &frameAnswers{mark: carrier.Mark{Key: "link", State: []byte("2")}}
		w.handler.HandleSignals(id, []carrier.Signal{
			{Route: &carrier.Route{Sender: "other", Event: "x"}, Data: carrier.ValueOf(7)},
			{Route: &carrier.Route{Sender: "s", Event: "x"}, Data: carrier.ValueOf(8)},
		}, b)
		c := w.frame(id, "3", "x") // cannot be answered before b is
		later := w.tell(id, "signal", `{"info":{"sender":"other","event":"x"},"data":9}`)
		w.commit()
		if got := a.String() + ", " + b.String() + c.String() + later.String(); got != "done, done" {
			t.Errorf("answered %s", got)
		}
		w.want(w.kept("link"), "x 0", "link=1")
		w.want(w.others(), "other #connect", "other x", "other #disconnect")
	})
}

// TestMessageIsKept: a message with a mark is answered when both are on disk, whatever it does; and the mark is kept after what the
// client has sent before.
func TestMessageIsKept(t *testing.T) {
	o := ServerOptions{Outbox: OutboxOptions{Limit: 2, Deadline: time.Second}, Methods: map[string]Method{
		"fail": func(context.Context, carrier.Value) (any, error) { return nil, ErrBusy },
	}}
	for _, test := range []struct{ method, params, want string }{
		{"signal", `{"info":{"sender":"s","event":"x"},"data":1}`, "done"},
		{"signal", `{"info":{"sender":"s","event":"nothing"},"data":1}`, "no such event"},
		{"signal", `{}`, "invalid arguments"},
		{"signal", `{"info":{"sender":"s","event":"x","time":"yesterday"},"data":1}`, "time"},
		{"get_version", `{}`, "done"},
		{"add_sender", `{"sender":"t","events":["x"]}`, "done"},
		{"remove_sender", `{"sender":"s"}`, "done"},
		{"fail", `{}`, "full"},
		{"nothing", `{}`, "no such method"},
		{"", `{}`, "no method"},
	} {
		t.Run(test.method+" "+test.want, func(t *testing.T) {
			inBubble(t, o, func(w *keepingWorld) {
				id, s := w.reporter("s")
				w.stuck(s, "y")
				a := w.frame(id, "1", "y")
				r := new(messageReply)
				w.handler.HandleMessage(id, &carrier.Message{
					Method: test.method, Params: carrier.RawValue(carrier.JSON, []byte(test.params)),
					Mark: &carrier.Mark{Key: "link", State: []byte("2")},
				}, r.respond)
				then := false
				keepingHandler{w.handler}.Keep(id, carrier.Mark{Key: "link", State: []byte("3")}, func() { then = true })
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if got := a.String() + r.String(); got != "0 answers" || then {
					t.Errorf("answered %q before it is on disk", got)
				}
				w.commit()
				if got := r.String(); a.String() != "done" || !strings.Contains(got, test.want) || !then {
					t.Errorf("answered %q, %q, want %q, and %t", a.String(), got, test.want, then)
				}
				list := w.kept("link")
				w.want(list[len(list)-1:], "link=3")
			})
		})
	}
}

// TestNotKept: what the journal does not keep is acknowledged in its turn, and nothing is kept of it.
func TestNotKept(t *testing.T) {
	o := ServerOptions{Keeps: func(sender, event string) bool { return sender == "s" && event == "x" }}
	inBubble(t, o, func(w *keepingWorld) {
		id, _ := w.reporter("s")
		list := func(events ...string) (signals []carrier.Signal) {
			for i, event := range events {
				signals = append(signals, carrier.Signal{Route: &carrier.Route{Sender: "s", Event: event}, Data: carrier.ValueOf(i)})
			}
			return signals
		}
		var answers orderedAnswers
		w.handler.HandleSignals(id, list("y"), &answers)
		synctest.Wait()
		if got := answers.String(); got != "done" {
			t.Errorf("an event that is not kept is answered %q", got)
		}
		w.handler.HandleSignals(id, list("x"), &answers)
		w.handler.HandleSignals(id, list("y", "nothing"), &answers)
		synctest.Wait()
		if got := answers.String(); got != "done" {
			t.Errorf("answered %q before the one in front of it is on disk", got)
		}
		w.commit()
		if got := answers.String(); got != "done done done failed" {
			t.Errorf("answered %q", got)
		}
		w.want(w.kept(), "x \x00")
	})
}

// TestEarly: events are acknowledged early as long as none has waited for too long.
func TestEarly(t *testing.T) {
	inBubble(t, ServerOptions{AckEarly: time.Second}, func(w *keepingWorld) {
		id, _ := w.reporter("s")
		a := w.frame(id, "1", "x")
		synctest.Wait()
		if got := a.String(); got != "done" {
			t.Errorf("answered %q", got)
		}
		time.Sleep(time.Second + 1)
		b := w.frame(id, "2", "x")
		synctest.Wait()
		if got := b.String(); got != "" {
			t.Errorf("answered %q although the disk is late", got)
		}
		w.commit()
		if got := b.String(); got != "done" {
			t.Errorf("answered %q", got)
		}
	})
}

// TestNumberComesAgain: a number that is on its way to the disk, and comes again from a program that has started anew, is acknowledged
// when the first one is on disk, and not recorded again.
func TestNumberComesAgain(t *testing.T) {
	inBubble(t, ServerOptions{}, func(w *keepingWorld) {
		send := func() *orderedAnswers {
			id := w.connect(16, true)
			w.done(id, "add_sender", `{"sender":"s","events":["x"],"producer":"p"}`)
			a := new(orderedAnswers)
			data := carrier.RawValue(carrier.JSON, []byte("7"))
			w.handler.HandleSignals(id, []carrier.Signal{{Route: &carrier.Route{Sender: "s", Event: "x"}, Seq: 1, Data: data}}, a)
			synctest.Wait()
			return a
		}
		first := send()
		w.handler.ClientDisconnected(w.clients, carrier.ErrClosed)
		synctest.Wait()
		again := send()
		if got := first.String() + again.String(); got != "" {
			t.Errorf("answered %q before it is on disk", got)
		}
		w.commit()
		if got := first.String() + " " + again.String(); got != "done done" {
			t.Errorf("answered %q", got)
		}
		w.want(w.kept(), "x 7")
	})
}
