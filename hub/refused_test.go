package hub_test

import (
	"context"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/hub"
)

// hearsGap returns what a listener to sender and event hears of gaps, on a channel.
func hearsGap(t *testing.T, r *hub.ClientRouter, sender, event string) <-chan hub.Loss {
	t.Helper()
	gaps := make(chan hub.Loss, 10)
	_, err := r.AddRemoteListener(t.Context(), sender, event, func(ev hub.Event) {
		var l hub.Loss
		if ev.Name == hub.Gap && ev.Data.Decode(&l) == nil {
			gaps <- l
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return gaps
}

// TestRefusedIsTold: an event that the hub refuses takes nothing else with it. It is counted for its client and its sender, and
// whoever would have heard it hears of a gap, with the cause.
func TestRefusedIsTold(t *testing.T) {
	n := serveNetwork(t, hub.ServerOptions{})
	p := n.rawSaying(`{"id":1,"method":"hello","params":{"protocol":1,"name":"porch"}}`)
	p.hear(`"id":1`)
	p.say(`{"id":2,"method":"add_sender","params":{"sender":"light","events":["n","dim"],"requests":null}}`)
	p.hear(`"status":0`)
	other, stop := n.client(carrier.CBOR)
	defer stop()
	all, some := hearsGap(t, other, "light", ""), hearsGap(t, other, "light", "dim")
	values := newCounting()
	if _, err := other.AddRemoteListener(t.Context(), "light", "n", values.hear); err != nil {
		t.Fatal(err)
	}

	for _, signal := range []string{
		`{"info":{"sender":"light","event":"n"},"data":0}`, `{"info":{"sender":"light","event":"lumen"},"data":1}`,
		`{"info":{"sender":"light","event":"n"},"data":1}`,
	} {
		p.say(`{"id":3,"method":"signal","params":%s}`, signal)
		p.hear(map[bool]string{true: "no such event: sender light cannot trigger lumen", false: `"status":0`}[strings.Contains(signal, "lumen")])
	}
	values.until(t, 2)
	if l := <-all; l.Count != 1 || l.Event != "lumen" || l.Cause != "event" {
		t.Errorf("the gap is told as %+v", l)
	}
	if len(some) > 0 {
		t.Errorf("a listener to another event hears of %+v", <-some)
	}

	// A value that nobody can be told, and a time that cannot be, are lost to listeners to the event, too.
	lost := hearsGap(t, other, "light", "n")
	for _, bad := range []string{`"event":"n"},"data":1e999`, `"event":"n","time":-5},"data":2`} {
		p.say(`{"id":3,"method":"signal","params":{"info":{"sender":"light",%s}}`, bad)
		p.hear(`"status":-2`)
		heard, heardToo := <-all, <-lost
		if heard != heardToo || heard.Event != "n" || heard.Count != 1 || heard.Cause != "value" && heard.Cause != "time" {
			t.Errorf("the gap is told as %+v and %+v", heard, heardToo)
		}
	}

	// The gap tells when the lost event happened, and not when it was refused.
	at := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	p.say(`{"id":3,"method":"signal","params":{"info":{"sender":"light","event":"n","time":"%s"},"data":1e999}}`, at.Format(time.RFC3339))
	p.hear(`"status":-2`)
	if heard := <-all; !heard.First.Equal(at) || !heard.Last.Equal(at) || <-lost != heard {
		t.Errorf("the gap of an event of %s is told as %+v", at, heard)
	}

	p.say(`{"id":4,"method":"fly"}`)
	p.hear(`"status":-1`)
	p.say(`{"id":5,"method":"remove_listener","params":{"listener_id":"x"}}`)
	p.hear(`"status":-2`)
	list, err := other.RemoteClients(t.Context())
	if err != nil || len(list.Clients) != 2 {
		t.Fatalf("the clients are %+v, %v", list, err)
	}
	c := list.Clients[0]
	if want := (map[string]uint64{"event": 1, "value": 2, "time": 1, "method": 1, "arguments": 1}); !maps.Equal(c.Refused, want) || c.Name != "porch" || !c.Hello || c.Senders != 1 {
		t.Errorf("the client is %+v, want %v refused", c, want)
	}
	if c.Latest == nil || c.Latest.What != "remove_listener" || c.Latest.Cause != "arguments" || !strings.Contains(c.Latest.Error, "listener_id") {
		t.Errorf("its latest refusal is %+v", c.Latest)
	}
	if other := list.Clients[1]; other.Refused != nil || other.Latest != nil || other.Listeners != 4 {
		t.Errorf("the other client is %+v", other)
	}
	senders, err := other.RemoteSenders(t.Context())
	if err != nil || len(senders) != 1 || !maps.Equal(senders[0].Refused, map[string]uint64{"event": 1, "value": 2, "time": 1}) {
		t.Errorf("the senders are %+v, %v", senders, err)
	}
}

// TestRefusedInAChannel: who listens to an event of any sender hears of one that is refused, too.
func TestRefusedInAChannel(t *testing.T) {
	n := serveNetwork(t, hub.ServerOptions{})
	p := n.rawSaying(`{"id":1,"method":"hello","params":{"protocol":1,"name":"porch"}}`)
	p.hear(`"id":1`)
	p.say(`{"id":2,"method":"add_sender","params":{"sender":"light","events":["#hot","#cold"],"requests":null}}`)
	p.hear(`"status":0`)
	other, stop := n.client(carrier.CBOR)
	defer stop()
	hot, cold := hearsGap(t, other, "", "#hot"), hearsGap(t, other, "", "#cold")
	for _, event := range []string{"#hot", "#cold"} {
		p.say(`{"id":3,"method":"signal","params":{"info":{"sender":"light","event":"%s"},"data":1e999}}`, event)
		p.hear(`"status":-2`)
	}
	for event, gaps := range map[string]<-chan hub.Loss{"#hot": hot, "#cold": cold} {
		select {
		case l := <-gaps:
			if l.Event != event || l.Cause != "value" || len(gaps) > 0 {
				t.Errorf("the gap of %s is told as %+v, and there are %d more", event, l, len(gaps))
			}
		case <-n.ctx.Done():
			t.Errorf("no gap of %s", event)
		}
	}
}

// TestClientPages: clients are listed page by page, in the order in which they connected, and no page is too long.
func TestClientPages(t *testing.T) {
	n := serveNetwork(t, hub.ServerOptions{})
	for range 3 {
		n.rawSaying(`{"id":1,"method":"hello","params":{"protocol":1}}`).hear(`"status":0`)
	}
	r, stop := n.client(carrier.JSON)
	defer stop()
	var ids []uint64
	for after, more := uint64(0), true; more; {
		v, err := r.Call(context.Background(), "list_clients", carrier.Object{{Key: "after", Value: after}, {Key: "limit", Value: 2}})
		var page hub.ClientList
		if err != nil || v.Decode(&page) != nil || len(page.Clients) == 0 || len(page.Clients) > 2 {
			t.Fatalf("the page is %v, %v", v, err)
		}
		for _, c := range page.Clients {
			ids = append(ids, c.ID)
		}
		after, more = ids[len(ids)-1], page.More
	}
	if len(ids) != 4 || ids[0] >= ids[1] || ids[1] >= ids[2] || ids[2] >= ids[3] {
		t.Errorf("the pages have the clients %v", ids)
	}
}

// TestRefusalsAreLogged: the log has the first refusal with each cause, and when the client has gone, the numbers of all.
func TestRefusalsAreLogged(t *testing.T) {
	var log safeBuffer
	n := serveNetwork(t, hub.ServerOptions{Options: hub.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}})
	p := n.rawSaying(`{"id":1,"method":"hello","params":{"protocol":1,"name":"porch"}}`)
	p.hear(`"id":1`)
	for _, call := range []string{`"method":"fly"`, `"method":"fly"`, `"method":"remove_listener","params":{"listener_id":"x"}`, `"method":5`} {
		p.say(`{"id":2,%s}`, call)
		p.hear(`"status":-`)
	}
	_ = p.nc.Close() // the hub sees an end in any case
	for log.text("client gone") == "" {
		if n.ctx.Err() != nil {
			t.Fatal("the hub does not notice that the client has gone")
		}
		time.Sleep(time.Millisecond)
	}
	n.stop()
	for _, want := range []string{"msg=refused", "cause=method", "cause=arguments", `refused="map[arguments:1 malformed:1 method:2]"`} {
		if log.text(want) == "" {
			t.Errorf("the log does not tell %s:\n%s", want, log.text(""))
		}
	}
	if got := strings.Count(log.text(""), "msg=refused"); got != 2 {
		t.Errorf("%d lines of refusals, want one for each cause of the hub's", got)
	}
}

// A safeBuffer is a log.
type safeBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

// text returns all that was written if it contains part, else nothing.
func (s *safeBuffer) text(part string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if all := s.b.String(); strings.Contains(all, part) {
		return all
	}
	return ""
}
