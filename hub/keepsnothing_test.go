package hub

import (
	"fmt"
	"strings"
	"testing"

	"sighub/carrier"
)

// A record is data with everything in it that a program may decode.
type record struct {
	Value carrier.Value `json:"value"`
	Text  string        `json:"text"`
	List  []any         `json:"list"`
}

// A souvenir is what a callback has kept of an event.
type souvenir struct {
	data, clone carrier.Value
	record      record
	decoded     any
}

func (s *souvenir) String() string {
	r := &s.record
	return fmt.Sprintf("%v, %s %s %v", s.decoded, r.Value, r.Text, r.List)
}

// remember decodes what a callback keeps, and a copy of the data.
func remember(t *testing.T, data carrier.Value) souvenir {
	t.Helper()
	s := souvenir{data: data, clone: data.Clone()}
	if err := data.Decode(&s.decoded); err != nil {
		t.Error(err)
	}
	if _, ok := s.decoded.(map[string]any); ok {
		if err := data.Decode(&s.record); err != nil {
			t.Error(err)
		}
	}
	return s
}

// TestKeepsNothing: a listener that keeps nothing of the data is lent it, whatever others do. What it keeps all the same cannot be
// decoded. What it has decoded, and copies, are its own.
func TestKeepsNothing(t *testing.T) {
	for _, codec := range []carrier.Codec{carrier.CBOR, carrier.JSON} {
		t.Run(codec.Name(), func(t *testing.T) { testKeepsNothing(t, codec, false) })
		t.Run(codec.Name()+", lent once", func(t *testing.T) { testKeepsNothing(t, codec, true) })
	}
}

func testKeepsNothing(t *testing.T, codec carrier.Codec, lendsOnce bool) {
	const lent, own = 1, 2 // the listeners
	r := NewClientRouter(ClientOptions{})
	h := &connectionHandler{router: r, serving: t.Context(), lendsOnce: lendsOnce}
	h.callbacks.Tasks = &h.tasks
	c := &connection{handler: h, router: r, ctx: t.Context(), listeners: make(map[uint64]*Listener)}
	h.connection = c
	var signals []carrier.Signal
	var memory []byte // of the carrier
	handle := func() {
		h.HandleSignals(1, signals, new(orderedAnswers))
		clear(memory)
		signals, memory = nil, nil
	}
	more := func() {} // what arrives while a callback runs
	kept, routes := make(map[uint64][]souvenir), make(map[uint64]*carrier.Route)
	for _, id := range []uint64{lent, own} {
		routes[id] = &carrier.Route{Listener: id, Sender: "s", Event: "x"}
		c.listeners[id] = &Listener{
			clientRouter: r, elsewhere: &elsewhere{options: ListenerOptions{KeepsNothing: id == lent}},
			fn: func(ev Event) {
				if len(kept[id])%4 == 3 {
					more()
				}
				kept[id] = append(kept[id], remember(t, ev.Data))
			},
		}
	}
	var want []souvenir
	tell := func(v any) {
		raw, err := codec.Append(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, remember(t, carrier.RawValue(codec, raw)))
		for id, route := range routes {
			start := len(memory)
			memory = append(memory, raw...)
			if id == own && len(signals)%5 == 0 { // what is refused in between is heard by nobody
				signals = append(signals, carrier.Signal{Route: route, Data: carrier.RawValue(codec, raw), Err: carrier.ErrTime})
			}
			signals = append(signals, carrier.Signal{Route: route, Data: carrier.RawValue(codec, memory[start:])})
		}
	}
	arrive := func(after func()) {
		gate := make(chan struct{})
		h.callbacks.Do(func() { <-gate })
		more = func() {
			more = func() {}
			after()
			handle()
		}
		handle()
		close(gate)
		h.tasks.Wait()
		for id, list := range kept {
			if len(list) != len(want) {
				t.Fatalf("listener %d has heard %d of %d events", id, len(list), len(want))
			}
		}
		for i := range want {
			for id, list := range kept {
				s, want := &list[i], want[i].String()
				if got, clone := s.String(), remember(t, s.clone); got != want || clone.String() != want {
					t.Errorf("listener %d has kept %s and %s, want %s", id, got, &clone, want)
				}
			}
			if s := remember(t, kept[own][i].data); s.String() != want[i].String() {
				t.Errorf("the data that is kept has become %s, want %s", &s, &want[i])
			}
			if !lendsOnce && i < len(want)-1 {
				continue // other data may be in its place
			}
			if v, err := kept[lent][i].data.Any(); err == nil {
				t.Errorf("data that was lent is still there, as %v", v)
			}
		}
	}
	tellAll := func(i int) {
		for _, v := range []any{i, fmt.Sprint("text ", i), nil, []any{i, "x"}} {
			tell(v)
		}
		tell(record{carrier.ValueOf([]any{i, "x"}), fmt.Sprint(i), []any{fmt.Sprint(i), []byte{1}}})
	}
	for i := range 20 {
		tellAll(i)
		if i%4 == 3 {
			arrive(func() { tellAll(-i) })
		}
	}
	tell(strings.Repeat("long ", dataMost))
	arrive(func() {})
	tell("the last")
	arrive(func() {})
}
