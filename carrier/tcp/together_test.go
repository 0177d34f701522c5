package tcp

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sighub/carrier"
)

// A passingHandler passes each message "pass" on to another client, and answers it with that one's answer, while it handles it.
type passingHandler struct {
	*hub
	to atomic.Uint64 // a carrier.ClientID
}

func (h *passingHandler) pass(_ carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
	if m.Method != "pass" {
		return // and is owed an answer
	}
	on := &carrier.Message{Method: "echo", Params: m.Params.Clone(), Together: m.Together}
	ok, err := h.TryTransmit(carrier.ClientID(h.to.Load()), on, func(r carrier.Reply, err error) {
		if err != nil {
			respond(carrier.Failed(err))
			return
		}
		respond(carrier.Reply{Response: r.Response.Clone(), Together: r.Together})
	})
	if err != nil || !ok {
		respond(carrier.Failed(fmt.Errorf("passed on: %v, %w", ok, err)))
	}
}

func servePassing(t *testing.T, l Limits) (h *passingHandler, from, to *speaker) {
	h = new(passingHandler)
	h.hub = serveHub(t, loopback, Options{Limits: l}, func(id carrier.ClientID, m *carrier.Message, respond func(carrier.Reply)) {
		h.pass(id, m, respond)
	})
	to = h.greeted(Options{Limits: l})
	c, err := h.Client(h.ctx)
	if err != nil {
		t.Fatal(err)
	}
	h.to.Store(uint64(c.ID))
	return h, h.greeted(Options{Limits: l}), to
}

// TestPassedOnTogether: what messages that arrive together lead to arrives in order and complete, and so do answers.
func TestPassedOnTogether(t *testing.T) {
	_, from, to := servePassing(t, Limits{})
	const n = 20
	var say, want, answers, heard strings.Builder
	for i := range n {
		fmt.Fprintf(&say, `{"id":%d,"method":"pass","params":%d}`, i+1, i)
		fmt.Fprintf(&want, `{"id":%d,"method":"echo","params":%d}`+"\n", i+1, i)
		fmt.Fprintf(&answers, `{"id":%d,"status":0,"response":%d}`, i+1, i)
		fmt.Fprintf(&heard, `{"id":%d,"status":0,"response":%d}`+"\n", i+1, i)
	}
	from.say(say.String())
	to.hear(want.String())
	to.say(answers.String())
	from.hear(heard.String())
}

// TestWhatWaitsHoldsNothingBack: what was passed on is written although the connection that led to it is not read any further,
// because too many answers are owed to it.
func TestWhatWaitsHoldsNothingBack(t *testing.T) {
	_, from, to := servePassing(t, Limits{MaxOutstanding: 3})
	from.say(`{"id":1,"method":"pass","params":1}` + strings.Repeat(`{"id":2,"method":"hold"}`, 5))
	to.hear(`{"id":1,"method":"echo","params":1}` + "\n")
	to.say(`{"id":1,"status":0,"response":1}`)
	from.hear(`{"id":1,"status":0,"response":1}` + "\n")
}

// TestSignalsHoldNothingBack: what was passed on is written before signals are handled that came with it, since that may take
// its time.
func TestSignalsHoldNothingBack(t *testing.T) {
	h := newStreamHandler(t, "hub")
	s, err := Listen(loopback, Options{})
	if err != nil {
		t.Fatal(err)
	}
	passing := &passingHandler{hub: &hub{Server: s}}
	h.Handle = passing.pass
	h.gate = make(chan struct{})
	ctx := serveHandler(t, s, h)
	to := newSpeaker(t, dialRaw(t, s.Addr()))
	to.say(jsonHello)
	to.hear(jsonWelcome)
	c, err := h.Client(ctx)
	if err != nil {
		t.Fatal(err)
	}
	passing.to.Store(uint64(c.ID))
	from := newSpeaker(t, dialRaw(t, s.Addr()))
	from.say(strings.Replace(jsonHello, `"tester"`, `"tester","signals":10`, 1))
	from.hearPart(`"status":0`)
	from.say(`{"id":2,"method":"pass","params":1}[[0,"s","e"],1]`)
	to.hear(`{"id":1,"method":"echo","params":1}` + "\n")
	close(h.gate)
}

// TestTurnsHoldNothingBack: what was passed on is written although a large message that came with it waits for its turn to be gone
// through.
func TestTurnsHoldNothingBack(t *testing.T) {
	_, from, to := servePassing(t, Limits{})
	const large = 20 << 10 // needs a turn
	var turns []func()
	for range max(1, runtime.GOMAXPROCS(0)/2) {
		turns = append(turns, carrier.TakeTurn(large))
	}
	free := sync.OnceFunc(func() {
		for _, done := range turns {
			done()
		}
	})
	defer free()
	// The first message fills the usual buffer, so that what follows is read at once.
	first, last := strings.Repeat("a", smallRead-len(`{"id":1,"method":"pass","params":""}`)), strings.Repeat("b", large)
	from.say(`{"id":1,"method":"pass","params":"` + first + `"}{"id":2,"method":"pass","params":2}{"id":3,"method":"pass","params":"` + last + `"}`)
	to.hear(`{"id":1,"method":"echo","params":"` + first + `"}` + "\n" + `{"id":2,"method":"echo","params":2}` + "\n")
	free()
	to.hear(`{"id":3,"method":"echo","params":"` + last + `"}` + "\n")
}
