package hub

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/journal"
	"sighub/journal/journaltest"
)

// A diskWorld is a messageWorld with a journal on a disk of the test's, which is served.
type diskWorld struct {
	*messageWorld
	disk *journaltest.Folder
	end  func()
}

// onDisk calls use with a world in a bubble of synctest.
func onDisk(t *testing.T, o ServerOptions, jo journal.Options, use func(w *diskWorld)) {
	synctest.Test(t, func(t *testing.T) {
		disk := journaltest.NewFolder(1)
		jo.Segment, jo.Size = 64<<10, 1<<20
		j, err := journal.OpenFolder(disk, jo)
		if err != nil {
			t.Fatal(err)
		}
		o.Journal = j
		w := &diskWorld{messageWorld: newMessageWorld(t, o), disk: disk}
		ctx, stop := context.WithCancel(context.Background())
		var serving sync.WaitGroup
		serving.Go(func() { _ = w.journal.serve(ctx) })
		w.end = sync.OnceFunc(func() {
			disk.SetFaults(journaltest.None())
			w.messageWorld.end()
			stop()
			serving.Wait()
		})
		defer w.end()
		use(w)
	})
}

// recorded ends the world and lists what is on record of the sender s, without its coming and going.
func (w *diskWorld) recorded() (list []string) {
	w.t.Helper()
	w.end()
	j, err := journal.OpenFolder(w.disk, journal.Options{Segment: 64 << 10, Size: 1 << 20})
	if err != nil {
		w.t.Fatal(err)
	}
	defer j.Close()
	r := j.Read(journal.Query{Filter: journal.Only("s", ""), Bounded: true})
	defer r.Close()
	entries := make([]journal.Entry, 64)
	for n := 0; err == nil; n, err = r.Next(context.Background(), entries) {
		for _, e := range entries[:n] {
			switch name := e.Event.Event; {
			case e.Lost > 0:
				list = append(list, fmt.Sprint("lost ", e.Lost))
			case name != Connect && name != Disconnect:
				list = append(list, strings.TrimSpace(fmt.Sprintf("%s %s", name, carrier.RawValue(carrier.CBOR, e.Data))))
			}
		}
	}
	return list
}

// signals hands signals x of the sender s on.
func (w *diskWorld) signals(id carrier.ClientID, numbers ...int) *orderedAnswers {
	a := new(orderedAnswers)
	var list []carrier.Signal
	for _, n := range numbers {
		data := carrier.RawValue(carrier.CBOR, []byte{byte(n)})
		list = append(list, carrier.Signal{Route: &carrier.Route{Sender: "s", Event: "x"}, Data: data})
	}
	w.handler.HandleSignals(id, list, a)
	synctest.Wait()
	return a
}

// TestDiskFails: while the disk fails, events are passed on at once and not acknowledged. After a time they are, as handed on; or
// not until the disk takes them, if that is asked for.
func TestDiskFails(t *testing.T) {
	for _, hold := range []bool{false, true} {
		t.Run(fmt.Sprint("hold ", hold), func(t *testing.T) {
			jo := journal.Options{GiveUp: 10 * time.Second}
			if hold {
				jo.GiveUp = -1
			}
			onDisk(t, ServerOptions{}, jo, func(w *diskWorld) {
				id, _ := w.reporter("s")
				heard := w.connect(100, true)
				w.done(heard, "add_listener", `{"sender":"s","event":"x"}`)
				before := w.signals(id, 1)
				time.Sleep(time.Second)
				synctest.Wait()
				if got := before.String(); got != "done" {
					t.Fatalf("answered %q", got)
				}
				w.carrier.take()
				w.disk.SetFaults(journaltest.Faults{CutIn: -1, FailSync: -1, FailWrite: -1, Err: journaltest.ErrDisk})
				a := w.signals(id, 2, 3)
				if got := len(w.carrier.take()); got != 2 {
					t.Errorf("%d events were passed on at once", got)
				}
				time.Sleep(9 * time.Second)
				synctest.Wait()
				if got := a.String(); got != "" {
					t.Errorf("answered %q after 9 s", got)
				}
				if w.journal.Health().Err == nil {
					t.Error("the journal says that it can write")
				}
				time.Sleep(3 * time.Second)
				b := w.signals(id, 4)
				time.Sleep(2 * time.Second)
				synctest.Wait()
				want := "done done done"
				if hold {
					want = ""
				}
				if got := strings.TrimSpace(a.String() + " " + b.String()); got != want {
					t.Errorf("answered %q after 13 s, want %q", got, want)
				}
				w.disk.SetFaults(journaltest.None())
				time.Sleep(3 * time.Second)
				c := w.signals(id, 5)
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if got := a.String() + " " + b.String() + " " + c.String(); got != "done done done done" {
					t.Errorf("answered %q when the disk is well", got)
				}
				if h := w.journal.Health(); h.Err != nil {
					t.Errorf("the disk is well, and yet: %v", h.Err)
				}
				list := strings.Join(w.recorded(), ", ")
				if want := "x 1, x 2, x 3, x 4, x 5"; hold && list != want {
					t.Errorf("on record is %q, want %q", list, want)
				}
				if !hold && (!strings.HasPrefix(list, "x 1") || !strings.HasSuffix(list, "x 5")) {
					t.Errorf("on record is %q", list)
				}
			})
		})
	}
}

// TestNoRoom: when too much waits for the disk, a client is read no further, and this process's own senders go on: what the journal
// has no room for is told there as a gap.
func TestNoRoom(t *testing.T) {
	onDisk(t, ServerOptions{}, journal.Options{Pending: 64}, func(w *diskWorld) {
		id, _ := w.reporter("t")
		time.Sleep(time.Minute)
		own, err := w.AddSender("s", SenderOptions{Events: []string{"x"}})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // so that everything is on disk
		w.disk.SetFaults(journaltest.Faults{CutIn: -1, FailSync: -1, FailWrite: -1, SyncDelay: 5 * time.Second})
		for n := range 40 {
			if err := own.signals["x"].Trigger(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
		full := w.journal.Room() != nil
		r := w.tell(id, "signal", `{"info":{"sender":"t","event":"x"},"data":1}`)
		asked := w.tell(id, "get_version", `{}`)
		synctest.Wait()
		if !full || w.handler.client(id).signals.afterWaiting.Idle() || r.String() != "0 answers" {
			t.Errorf("the journal is full: %t; the client's signal: %s", full, r)
		}
		if got := asked.String(); got != "done" {
			t.Errorf("what is not kept waits for the disk, too: %s", got)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := r.String(); got != "done" {
			t.Errorf("when there is room: %s", got)
		}
		if err := own.signals["x"].Trigger(t.Context(), 99); err != nil {
			t.Fatal(err)
		}
		list := w.recorded()
		told, lost := strings.Join(list, "\n"), 40-(len(list)-2)
		if lost == 0 || !strings.Contains(told, fmt.Sprintf(`"count":%d`, lost)) || !strings.Contains(told, `"cause":"journal"`) ||
			!strings.HasPrefix(list[len(list)-2], Gap) || list[len(list)-1] != "x 99" {
			t.Errorf("%d are lost; on record is\n%s", lost, told)
		}
	})
}

// TestShutdownCommits: what was reported is acknowledged before the hub ends, however slow the disk is within its grace; and it is
// on record that the sender has gone.
func TestShutdownCommits(t *testing.T) {
	onDisk(t, ServerOptions{}, journal.Options{Pace: journal.PaceOptions{Burst: 1, Interval: time.Hour}}, func(w *diskWorld) {
		id, _ := w.reporter("s")
		time.Sleep(2 * time.Hour)
		w.disk.SetFaults(journaltest.Faults{CutIn: -1, FailSync: -1, FailWrite: -1, SyncDelay: 300 * time.Millisecond})
		a := w.signals(id, 1)
		if got := a.String(); got != "" {
			t.Fatalf("answered %q at once", got)
		}
		w.journal.sync(time.Second)
		synctest.Wait()
		if got := a.String(); got != "done" {
			t.Errorf("answered %q", got)
		}
	})
}

// TestProducersAreForgotten: producers that have gone make room for others, and their numbers are found again.
func TestProducersAreForgotten(t *testing.T) {
	onDisk(t, ServerOptions{MaxSenders: 2 * maxProducers}, journal.Options{}, func(w *diskWorld) {
		id := w.connect(16, true)
		w.done(id, "add_sender", `{"sender":"first","events":["x"],"producer":"first"}`)
		w.handler.HandleSignals(id, []carrier.Signal{
			{Route: &carrier.Route{Sender: "first", Event: "x"}, Seq: 7, Data: carrier.ValueOf(1)},
		}, new(orderedAnswers))
		time.Sleep(time.Minute)
		w.handler.ClientDisconnected(id, carrier.ErrClosed)
		synctest.Wait()
		id = w.connect(16, true)
		for i := range maxProducers {
			w.done(id, "add_sender", `{"sender":"s%d","events":["x"],"producer":"p%[1]d"}`, i)
		}
		if r := w.tell(id, "add_sender", `{"sender":"more","events":["x"],"producer":"more"}`); true {
			synctest.Wait()
			if got := r.String(); !strings.Contains(got, "producers are connected") {
				t.Errorf("one more: %s", got)
			}
		}
		w.handler.ClientDisconnected(id, carrier.ErrClosed)
		synctest.Wait()
		again := w.connect(16, true)
		r := w.tell(again, "add_sender", `{"sender":"first","events":["x"],"producer":"first"}`)
		synctest.Wait()
		if got := r.reply.Response.String(); got != `{"next":8}` {
			t.Errorf("it goes on with %s", got)
		}
	})
}

// TestDoubtful: states of devices are in doubt while what is answered is not on disk, and for a while after a run was killed that may
// have answered early.
func TestDoubtful(t *testing.T) {
	onDisk(t, ServerOptions{}, journal.Options{GiveUp: time.Second}, func(w *diskWorld) {
		h := keepingHandler{w.handler}
		id, _ := w.reporter("s")
		w.signals(id, 1)
		time.Sleep(time.Minute)
		if synctest.Wait(); h.Doubtful() {
			t.Error("in doubt although all is well")
		}
		w.disk.SetFaults(journaltest.Faults{CutIn: -1, FailSync: -1, FailWrite: -1, Err: journaltest.ErrDisk})
		a := w.signals(id, 2)
		time.Sleep(time.Minute)
		if synctest.Wait(); a.String() != "done" || !h.Doubtful() {
			t.Errorf("answered %q without the disk, and in doubt: %t", a, h.Doubtful())
		}
		w.disk.SetFaults(journaltest.None())
		w.signals(id, 3)
		time.Sleep(time.Minute)
		if synctest.Wait(); h.Doubtful() {
			t.Error("in doubt although the disk is well")
		}
	})
	for _, early := range []time.Duration{0, time.Second} {
		for _, killed := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				disk := journaltest.NewFolder(1)
				for start := range 2 {
					j, err := journal.OpenFolder(disk, journal.Options{Segment: 64 << 10, Size: 1 << 20})
					if err != nil {
						t.Fatal(err)
					}
					w := newMessageWorld(t, ServerOptions{Journal: j, AckEarly: early})
					h := keepingHandler{w.handler}
					if want := start == 1 && killed && early > 0; h.Doubtful() != want {
						t.Errorf("start %d, early %s, killed %t: in doubt: %t", start, early, killed, h.Doubtful())
					}
					ctx, stop := context.WithCancel(context.Background())
					var serving sync.WaitGroup
					serving.Go(func() { _ = w.journal.serve(ctx) })
					w.reporter("s")
					time.Sleep(time.Minute)
					if h.Doubtful() {
						t.Error("in doubt after a minute")
					}
					w.end()
					if killed {
						time.Sleep(time.Minute)
						synctest.Wait()
						disk.SetFaults(journaltest.Faults{CutIn: -1, FailSync: -1, FailWrite: -1, Err: journaltest.ErrDisk})
					}
					stop()
					serving.Wait()
					disk.Restore()
				}
			})
		}
	}
}

// TestNothingIsKeptBehindWhatIsNot: once the hub leaves a frame unanswered, no mark behind it is kept, and nothing answered.
func TestNothingIsKeptBehindWhatIsNot(t *testing.T) {
	onDisk(t, ServerOptions{}, journal.Options{}, func(w *diskWorld) {
		id, _ := w.reporter("s")
		w.shutDown()
		w.signals(id, 1)
		r, then := new(messageReply), false
		w.handler.HandleMessage(id, &carrier.Message{
			Method: "get_version", Params: carrier.RawValue(carrier.JSON, []byte("{}")), Mark: &carrier.Mark{Key: "k", State: []byte("1")},
		}, r.respond)
		keepingHandler{w.handler}.Keep(id, carrier.Mark{Key: "k", State: []byte("2")}, func() { then = true })
		time.Sleep(time.Minute)
		synctest.Wait()
		if r.String() != "0 answers" || then || w.journal.State("k") != nil {
			t.Errorf("%s, %t, kept %q", r, then, w.journal.State("k"))
		}
	})
}

// TestWithin: what is reported with a mark is on disk, and answered, within the time that the mark says; if it is acknowledged early,
// nobody waits for that.
func TestWithin(t *testing.T) {
	const within = 200 * time.Millisecond
	for name, test := range map[string]struct {
		o                ServerOptions
		within           time.Duration
		answered, onDisk time.Duration
	}{
		"within":      {ServerOptions{}, within, within, within},
		"some time":   {ServerOptions{}, 0, time.Second, time.Second},
		"early":       {ServerOptions{AckEarly: time.Second}, within, 0, time.Second},
		"a long time": {ServerOptions{}, time.Minute, time.Second, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			onDisk(t, test.o, journal.Options{Pace: journal.PaceOptions{Burst: 1, Day: 1}}, func(w *diskWorld) {
				id, _ := w.reporter("s")
				time.Sleep(10 * time.Second)
				w.signals(id, 1) // is written at once, and the next one has to wait
				synctest.Wait()
				syncs, start := w.disk.Count().Syncs, time.Now()
				a := &frameAnswers{mark: carrier.Mark{Key: "link", State: []byte("1"), Within: test.within}}
				data := carrier.RawValue(carrier.CBOR, []byte{2})
				w.handler.HandleSignals(id, []carrier.Signal{{Route: &carrier.Route{Sender: "s", Event: "x"}, Data: data}}, a)
				answered, onDisk := time.Hour, time.Hour
				for d := time.Duration(0); d < 2*time.Second; d = time.Since(start) {
					synctest.Wait()
					if a.String() != "" {
						answered = min(answered, d)
					}
					if w.disk.Count().Syncs > syncs {
						onDisk = min(onDisk, d)
					}
					time.Sleep(time.Millisecond)
				}
				if answered != test.answered || onDisk != test.onDisk {
					t.Errorf("it is answered after %v and on disk after %v, want %v and %v", answered, onDisk, test.answered, test.onDisk)
				}
			})
		})
	}
}
