package tcp

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/carriertest"
)

// A lendingHandler answers each message on the goroutine that reads, if it is lent.
type lendingHandler struct {
	carrier.Handler
	mu     sync.Mutex
	reader carrier.Reader
	lent   int
	answer func(m *carrier.Message) // before the answer
}

func (h *lendingHandler) ClientConnected(c carrier.Client) {
	h.mu.Lock()
	h.reader = c.Reader
	h.mu.Unlock()
	h.Handler.ClientConnected(c)
}

func (h *lendingHandler) HandleMessage(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
	params, with := m.Params.Clone(), m.Together
	f := func() {
		h.answer(m)
		respond(carrier.Reply{Response: params, Together: with})
	}
	if h.reader.Lend(f) {
		h.lent++
		return
	}
	go f()
}

// serveLending serves a client of a fake hub which has said hello, and then talks.
func serveLending(t *testing.T, l Limits, answer func(*lendingHandler, *carrier.Message), talk func(s *speaker)) {
	t.Helper()
	told := make(chan struct{})
	addr := fakeHub(t, func(s *speaker) {
		s.hear(`{"id":1,"method":"hello","params":{"protocol":1,"name":"me","window":4,"max_message":1048576}}`)
		s.say(`{"status":0,"id":1,"response":{"protocol":1,"name":"hub","window":4,"max_message":1048576}}`)
		talk(s)
		close(told)
		_, _ = s.nc.Read(make([]byte, 1))
	})
	l.Window = 4
	h := &lendingHandler{Handler: carriertest.NewRecorder(t, "client")}
	h.answer = func(m *carrier.Message) { answer(h, m) }
	ctx, stop := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { _ = NewClient(addr, ClientOptions{Name: "me", Codec: carrier.JSON, Limits: l}).Serve(ctx, h) })
	select {
	case <-told:
	case <-time.After(watchdog):
		t.Error("the hub was not answered")
	}
	stop()
	serving.Wait()
	if h.lent == 0 {
		t.Error("the goroutine was never lent, so nothing is tested")
	}
}

// TestLentWhileOwing: a client that may owe no more answers, and so reads no further, gives those that it owes.
func TestLentWhileOwing(t *testing.T) {
	const most = 3
	serveLending(t, Limits{MaxOutstanding: most}, func(*lendingHandler, *carrier.Message) {}, func(s *speaker) {
		s.say(strings.Repeat(`{"id":2,"method":"echo","params":1}`, 4*most))
		s.hear(strings.Repeat(`{"id":2,"status":0,"response":1}`+"\n", 4*most))
	})
}

// TestLentForLong: while what was lent the goroutine waits, others read on: what it has answered is written, and what comes is
// handled, though what it waits for comes only then. Later on, all goes its way.
func TestLentForLong(t *testing.T) {
	for _, resume := range []bool{false, true} {
		gate := make(chan struct{})
		wait := func(h *lendingHandler, m *carrier.Message) {
			switch m.Method {
			case "wait":
				if resume {
					h.reader.Resume()
				}
				<-gate
			case "go":
				close(gate)
			}
		}
		serveLending(t, Limits{}, wait, func(s *speaker) {
			s.say(`{"id":1,"method":"echo","params":1}{"id":2,"method":"wait","params":2}`)
			s.hear(`{"id":1,"status":0,"response":1}` + "\n")
			s.say(`{"id":3,"method":"echo","params":3}`)
			s.hear(`{"id":3,"status":0,"response":3}` + "\n")
			s.say(`{"id":4,"method":"go","params":4}`)
			s.hearPart(`"status":0`) // both, in any order
			s.hearPart(`"status":0`)
			s.say(`{"id":5,"method":"echo","params":5}`)
			s.hear(`{"id":5,"status":0,"response":5}` + "\n")
		})
	}
}
