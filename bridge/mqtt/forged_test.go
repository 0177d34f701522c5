package mqtt

import (
	"fmt"
	"strings"
	"testing"

	"sighub/bridge/mqtt/internal/client"
	"sighub/hub"
)

// TestForgedMarks: whatever somebody has put in the place of the mark, each event comes, in order, and the mark is the bridge's own again.
func TestForgedMarks(t *testing.T) {
	broker, dir := startBroker(t), t.TempDir()
	l := listen(t, broker.addr, "sighub/light/lux")
	next := 0
	for _, forged := range []string{
		"", "x", "null", "[]", `{"position":null}`, `{"position":[0,0]}`, `{"position":[1,0]}`, `{"position":[1]}`, `{"position":[1,3]}`, `{"position":[7,3]}`,
		`{"position":[4294967295,18446744073709551615]}`, `{"position":[4294967296,1]}`, `{"position":[1,-1]}`, `{"position":[1,1e300]}`,
		`{"position":"` + strings.Repeat("x", 500_000) + `"}`, strings.Repeat("[", 500_000),
	} {
		l.say("sighub/_bridge/sighub/up", forged, func(m *client.Message) { m.Retain = true })
		h := newHouse(t, dir)
		b := h.bridge(Options{Addr: broker.addr})
		h.serve(b)
		h.report(h.sender("light", hub.SenderOptions{Events: []string{"lux"}}), "lux", numbers(next, 5)...)
		next += 5
		l.wait(fmt.Sprint("sighub/light/lux ", next-1), 1)
		eventually(t, "everything is marked", b.isMarked)
		if st := b.Status(); !st.Connected || st.Error != "" || st.Lost > 0 {
			t.Errorf("with the mark %.60s: %+v", forged, st)
		}
		h.stop()
	}
	checkNumbers(t, l.heard("sighub/light/lux "), next)
}

// TestForgedRequests: whoever may publish at the broker sends what is no request, or far too many. Those that are honest are answered.
func TestForgedRequests(t *testing.T) {
	broker := startBroker(t)
	h := newHouse(t, t.TempDir())
	b := h.bridge(Options{Addr: broker.addr, Commands: true})
	h.serve(b)
	asked := make(chan string, 1000)
	h.sender("pump", hub.SenderOptions{Requests: map[string]hub.RequestHandler{"start": answering(asked)}})
	l := listen(t, broker.addr, "answers")
	eventually(t, "the bridge is connected", func() bool { return b.Status().Connected })
	for _, topic := range []string{
		"sighub/" + strings.Repeat("x", 60_000) + "/_request/start", "sighub/%zz/_request/start", "sighub/%1B/_request/%00", "sighub/pump/_request/" + strings.Repeat("x", 60_000),
		"sighub/_bridge/_request/start", "sighub/pump/_request/start",
	} {
		for _, payload := range []string{"", "{", strings.Repeat("[", 100_000), `"` + strings.Repeat("x", 500_000) + `"`, "\xff"} {
			for range 20 {
				l.say(topic, payload, func(m *client.Message) {
					m.CorrelationData = make([]byte, 1000)
					for range 100 {
						m.User = append(m.User, user{Key: "time", Value: strings.Repeat("9", 100)})
					}
				})
			}
		}
	}
	eventually(t, "an honest request is answered", func() bool {
		l.say("sighub/pump/_request/start", "7", func(m *client.Message) { m.ResponseTopic = "answers" })
		return len(l.heard(`answers {"was":7}`)) > 0
	})
	if st := b.Status(); !st.Connected || st.Error != "" {
		t.Errorf("%+v", st)
	}
}
