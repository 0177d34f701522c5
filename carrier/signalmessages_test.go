package carrier

import (
	"fmt"
	"slices"
	"testing"
)

type asMessages struct {
	Handler
	told []func(Reply)
	seen []string
}

func (h *asMessages) HandleMessage(id ClientID, m *Message, respond func(Reply)) {
	h.told = append(h.told, respond)
	h.seen = append(h.seen, fmt.Sprint(id, m.Method, m.Params))
}

func (h *asMessages) ClientDisconnected(id ClientID, cause error) {
	h.seen = append(h.seen, fmt.Sprint(id, cause))
}

type answerLog struct{ got []string }

func (a *answerLog) Done(n int)   { a.got = append(a.got, fmt.Sprint("done ", n)) }
func (a *answerLog) Fail(r Reply) { a.got = append(a.got, r.Exception) }

// TestSignalsAsMessages: a handler that knows no signals gets messages, and its answers come in order, whenever it gives
// them; also those that it gives when the client has gone.
func TestSignalsAsMessages(t *testing.T) {
	h, a := new(asMessages), new(answerLog)
	s := AsSignalHandler(h)
	raw := []byte{1}
	route := &Route{Sender: "s", Event: "e"}
	s.HandleSignals(7, []Signal{{Route: route, Data: RawValue(CBOR, raw)}, {Route: route, Time: 5, Uncertainty: 6, Seq: 9, Data: ValueOf("x")}}, a)
	s.HandleSignals(7, []Signal{{Route: route}}, a)
	raw[0] = 2
	want := []string{
		`7signal{"info":{"sender":"s","event":"e"},"data":1}`,
		`7signal{"info":{"sender":"s","event":"e","time":5,"uncertainty":6,"seq":9},"data":"x"}`,
		`7signal{"info":{"sender":"s","event":"e"},"data":null}`,
	}
	if !slices.Equal(h.seen, want) {
		t.Errorf("%q", h.seen)
	}
	h.told[1](Reply{Status: StatusFailed, Exception: "no"})
	if len(a.got) > 0 {
		t.Errorf("%q", a.got)
	}
	s.ClientDisconnected(7, ErrGone)
	h.told[0](Reply{})
	h.told[0](Reply{Status: StatusFailed, Exception: "again"})
	h.told[2](Reply{})
	if !slices.Equal(a.got, []string{"done 1", "no", "done 1"}) {
		t.Errorf("%q", a.got)
	}
	if AsSignalHandler(s) != s {
		t.Error("it is wrapped twice")
	}
}
