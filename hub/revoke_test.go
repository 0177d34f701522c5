package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/hub/verb"
)

// all allows an identity everything but what concerns the hub.
func all(identity string) []grant {
	var list []grant
	for _, v := range []verb.Verb{verb.Add, verb.Trigger, verb.Listen, verb.Request} {
		list = append(list, grant{identity, v, "*", "*"})
	}
	return list
}

// TestDeniedBeforeLookup: a refusal has the status for it, and is the same whether or not what was asked for exists. Nothing that is
// refused has an effect.
func TestDeniedBeforeLookup(t *testing.T) {
	var denials []Denial
	called := 0
	hello := func(ctx context.Context, _ carrier.Value) (any, error) {
		info, identity, ok := Caller(ctx)
		if called++; !ok || info.ID == 0 || identity == "" {
			t.Errorf("the caller is %v %q %t", info, identity, ok)
		}
		return nil, nil
	}
	w := newPolicyWorld(t, ServerOptions{
		Methods: map[string]Method{"ports": hello, "greet": hello, "look": hello},
		Needs:   map[string]verb.Verb{"greet": verb.Request, "look": 0},
		Denied:  func(d Denial) { denials = append(denials, d) },
	})
	defer w.end()
	if _, err := w.AddSender("there", SenderOptions{Events: []string{"e", "secret"}, Requests: map[string]RequestHandler{
		"m": func(context.Context, string, carrier.Value) (any, error) { called++; return nil, nil },
	}}); err != nil {
		t.Fatal(err)
	}
	w.SetPolicy(fakePolicy{{"nobody", verb.Listen, "nowhere", "x"}, {"admin", verb.Admin, "", ""}, {"reader", verb.Listen, "there", "e"}})
	c := w.connect("nobody", new(noteSink))
	for _, m := range []struct{ method, params string }{
		{"add_listener", `{"sender":"%s","event":"e"}`},
		{"add_listener", `{"sender":"%s","event":null}`},
		{"add_listener", `{"sender":null,"event":"#%s"}`},
		{"add_sender", `{"sender":"%s","events":["e"]}`},
		{"request", `{"sender":"%s","method":"m"}`},
		{"history", `{"sender":"%s"}`},
		{"history", `{"sender":"%s","event":"e","every":"1m"}`},
		{"list_clients", `{}`},
		{"list_cursors", `{}`},
		{"remove_cursor", `{"cursor":"%s"}`},
		{"ports", `{}`},
		{"greet", `{}`},
	} {
		var texts []string
		for _, name := range []string{"there", "other"} {
			r := w.call(c, m.method, strings.ReplaceAll(m.params, "%s", name))
			text := r.Err().Error()
			if r.Status != carrier.StatusDenied || !strings.Contains(text, "carrier: not allowed: this client may not") || strings.Contains(text, "secret") {
				t.Errorf("%s: %v", m.method, r.Err())
			}
			texts = append(texts, strings.ReplaceAll(text, name, "?"))
		}
		if texts[0] != texts[1] {
			t.Errorf("%s tells what is there:\n%s\n%s", m.method, texts[0], texts[1])
		}
	}
	if called != 0 || len(w.Senders()) != 1 {
		t.Error("what was denied has had an effect")
	}
	if len(denials) != 24 || denials[0].Identity != "nobody" || denials[0].Verb != verb.Listen || denials[0].Sender != "there" || denials[0].Name != "e" {
		t.Errorf("%d denials were told, the first is %+v", len(denials), denials[0])
	}
	for _, method := range []string{"get_version", "look", "list_senders"} {
		w.done(c, method, `{}`)
	}
	for method := range methods { // of the hub: each is either free, or for admins
		if v := w.needs(method); v != 0 && v != verb.Admin {
			t.Errorf("%s needs %s", method, v)
		}
	}
	admin := w.connect("admin", new(noteSink))
	for _, method := range []string{"list_clients", "ports"} {
		w.done(admin, method, `{}`)
	}
	if r := w.call(admin, "greet", `{}`); r.Status != carrier.StatusDenied { // it is not for admins, who have other rights by their role
		t.Error(r.Err())
	}
	reader := w.connect("reader", new(noteSink))
	if r := w.call(reader, "add_listener", `{"sender":"there","event":"e"}`); r.Status != carrier.StatusDone {
		t.Error(r.Err())
	}
	w.SetPolicy(fakePolicy{{"reader", verb.Listen, "there", "e*"}})
	if r := w.call(reader, "add_listener", `{"sender":"there","event":"else"}`); r.Status != carrier.StatusFailed ||
		strings.Contains(r.Exception, "secret") || !strings.Contains(r.Exception, "only e, #disconnect, #connect") {
		t.Errorf("an event that is not there: %v", r.Err())
	}
}

// TestOwnersAreNotTold: who has a sender, and where, is for admins.
func TestOwnersAreNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPolicyWorld(t, ServerOptions{})
		defer w.end()
		w.SetPolicy(fakePolicy(append(append(all("ann"), all("zoe")...), grant{"zoe", verb.Admin, "", ""}, grant{"bob", verb.Add, "*", ""})))
		sinks := map[string]*noteSink{"ann": {pack: true}, "zoe": {pack: true}, "ada": {pack: true}}
		clients := map[string]*client{}
		for _, name := range []string{"ann", "zoe", "ann", "zoe"} { // in turns, so that none gets what was packed for another
			sink := &noteSink{pack: true}
			c := w.connect(name, sink)
			clients[name] = c
			w.listen(c, "", "")
			if sinks[name].lines == nil {
				sinks[name] = sink
			}
			sinks[fmt.Sprint(name, c.id)] = sink
		}
		owner := w.connect("bob", new(noteSink))
		w.done(owner, "add_sender", `{"sender":"s","events":[]}`)
		synctest.Wait() // until all that is said is put
		for name, sink := range sinks {
			if len(sink.data) == 0 {
				continue
			}
			text := strings.Join(sink.data, " ")
			if told := strings.Contains(text, owner.info.Addr); !strings.Contains(text, "events") || told != strings.HasPrefix(name, "zoe") {
				t.Errorf("%s is told: %s", name, text)
			}
		}
		for name, c := range clients {
			text := w.call(c, "add_sender", `{"sender":"s","events":[]}`).Err().Error()
			if told := strings.Contains(text, owner.info.Addr); !strings.HasPrefix(text, ErrExists.Error()) || told != (name == "zoe") {
				t.Errorf("%s is told: %s", name, text)
			}
		}
	})
}

// TestRevokeWaiting: what waits in a full outbox and may not be heard any more is dropped and told; listeners that may hear nothing any
// more end with a last gap.
func TestRevokeWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPolicyWorld(t, ServerOptions{})
		defer w.end()
		w.SetPolicy(fakePolicy(all("ann")))
		sink := &noteSink{pack: true}
		c := w.connect("ann", sink)
		wide, _ := w.listen(c, "", "")
		narrow, _ := w.listen(c, "s", "secret")
		s, err := w.AddSender("s", SenderOptions{Events: []string{"e", "secret"}})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := sink.take(); len(got) != 1 { // #connect, which is not answered
			t.Fatal(got)
		}
		sink.full.Store(true)
		trigger := func(event string) {
			t.Helper()
			g, err := s.Signal(event)
			if err == nil {
				err = g.Trigger(t.Context(), 7)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		trigger("e") // by which the outbox learns that the sink is full
		for range 3 {
			trigger("e")
			trigger("secret")
		}
		if got := sink.take(); len(got) != 1 {
			t.Fatal(got)
		}
		w.SetPolicy(fakePolicy{{"ann", verb.Listen, "s", "e"}})
		if n := len(c.listeners); n != 1 || !narrow.removed.Load() || wide.removed.Load() {
			t.Errorf("there are %d listeners", n)
		}
		if n := c.refusals.missed.Counts()[causeDenied]; n != 3 {
			t.Errorf("%d events were missed", n)
		}
		sink.full.Store(false)
		w.handler.SignalsAnswered(c.id, 2, nil)
		lines := w.heard(c, sink)
		want := []string{
			fmt.Sprintf("%d s #gap", wide.id), fmt.Sprintf("%d s #gap", narrow.id),
			fmt.Sprintf("%d s e", wide.id), fmt.Sprintf("%d s e", wide.id), fmt.Sprintf("%d s e", wide.id),
		}
		slices.Sort(lines)
		slices.Sort(want)
		if !slices.Equal(lines, want) {
			t.Errorf("it hears %q", lines)
		}
		if r := w.call(c, "remove_listener", fmt.Sprintf(`{"listener_id":%d}`, narrow.id)); !strings.Contains(fmt.Sprint(r.Err()), ErrNoListener.Error()) {
			t.Error(r.Err())
		}
	})
}

// TestRevokeGap: a gap that waits to be told is dropped with the right to hear of its sender.
func TestRevokeGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPolicyWorld(t, ServerOptions{Outbox: OutboxOptions{Limit: 2, Policy: Latest}})
		defer w.end()
		w.SetPolicy(fakePolicy(all("ann")))
		sink := new(noteSink)
		c := w.connect("ann", sink)
		l, _ := w.listen(c, "", "")
		signals := map[string]*Signal{}
		for _, name := range []string{"a", "b"} {
			s, err := w.AddSender(name, SenderOptions{Events: []string{"e"}})
			if err != nil {
				t.Fatal(err)
			}
			if signals[name], err = s.Signal("e"); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		sink.full.Store(true)
		for range 9 {
			for _, name := range []string{"a", "b"} {
				if err := signals[name].Trigger(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		if n := c.outbox.gaps.len(); n != 2 {
			t.Fatal(n, "gaps wait")
		}
		w.SetPolicy(fakePolicy{{"ann", verb.Listen, "b", "*"}})
		sink.full.Store(false)
		n := len(sink.take())
		w.handler.SignalsAnswered(c.id, n, nil)
		lines := w.heard(c, sink)
		if len(lines) == 0 || slices.ContainsFunc(lines, func(s string) bool { return !strings.HasPrefix(s, fmt.Sprintf("%d b ", l.id)) }) {
			t.Errorf("it hears %q", lines)
		}
	})
}

// TestRevokeRequests: requests that are on their way end, wherever they are answered.
func TestRevokeRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPolicyWorld(t, ServerOptions{})
		defer w.end()
		w.SetPolicy(fakePolicy(append(append(all("ann"), all("bob")...), all("zoe")...)))
		begun, ended := 0, 0
		if _, err := w.AddSender("own", SenderOptions{Default: func(ctx context.Context, _ string, _ carrier.Value) (any, error) {
			begun++
			<-ctx.Done()
			if !errors.Is(context.Cause(ctx), carrier.ErrDenied) {
				t.Errorf("it ends with %v", context.Cause(ctx))
			}
			ended++
			return nil, context.Cause(ctx)
		}}); err != nil {
			t.Fatal(err)
		}
		w.done(w.connect("bob", new(noteSink)), "add_sender", `{"sender":"far","events":[],"requests":[null]}`)
		c, other := w.connect("ann", new(noteSink)), w.connect("zoe", new(noteSink))
		ask := func(c *client, sender string) *messageReply {
			r := new(messageReply)
			params := fmt.Appendf(nil, `{"sender":%q,"method":"m","params":1}`, sender)
			w.handler.HandleMessage(c.id, &carrier.Message{Method: "request", Params: carrier.RawValue(carrier.JSON, params)}, r.respond)
			return r
		}
		own, far, stays := ask(c, "own"), ask(c, "far"), ask(other, "far")
		synctest.Wait()
		sent := w.carrier.take()
		if begun != 1 || len(sent) != 2 {
			t.Fatal(begun, len(sent))
		}
		w.SetPolicy(fakePolicy(append(all("bob"), append(all("zoe"), grant{"ann", verb.Listen, "x", "y"})...)))
		synctest.Wait()
		for _, r := range []*messageReply{own, far} {
			if got := r.String(); !strings.HasPrefix(got, "carrier: not allowed") || !strings.Contains(got, "may have been carried out") {
				t.Error(got)
			}
		}
		if got := stays.String(); got != "0 answers" || ended != 1 {
			t.Error(got, ended)
		}
		for _, m := range sent { // which come too late for one of them
			m.done(carrier.Done(1), nil)
		}
		synctest.Wait()
		if got := []string{own.String(), far.String(), stays.String()}; got[2] != "done" || !strings.HasPrefix(got[0]+got[1], "carrier: not") {
			t.Error(got)
		}
		if c.asks != nil || other.asks != nil || c.pending.Load() != 0 {
			t.Error("requests are left")
		}
	})
}

// TestRevokeSenders: a sender that may not be there any more goes, and its client is told when it triggers.
func TestRevokeSenders(t *testing.T) {
	w := newPolicyWorld(t, ServerOptions{})
	defer w.end()
	w.SetPolicy(fakePolicy(all("bob")))
	c := w.connect("bob", new(noteSink))
	var reasons []string
	if _, err := w.AddListener("", Disconnect, func(ev Event) {
		var conn Connection
		if err := ev.Data.Decode(&conn); err != nil {
			t.Error(err)
		}
		reasons = append(reasons, ev.Sender+" "+conn.Reason)
	}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two"} {
		w.done(c, "add_sender", fmt.Sprintf(`{"sender":%q,"events":["e","f"]}`, name))
	}
	for _, p := range []fakePolicy{
		{{"bob", verb.Add, "*", ""}, {"bob", verb.Trigger, "one", "*"}, {"bob", verb.Trigger, "two", "e"}},
		{{"bob", verb.Trigger, "*", "*"}},
	} {
		w.SetPolicy(p)
	}
	if want := []string{"two revoked", "one revoked"}; !slices.Equal(reasons, want) {
		t.Errorf("%q", reasons)
	}
	if r := w.call(c, "signal", `{"info":{"sender":"two","event":"e"},"data":1}`); r.Status == carrier.StatusDone {
		t.Error(r.Err())
	}
	w.SetPolicy(fakePolicy{{"bob", verb.Listen, "x", "x"}})
	if r := w.call(c, "signal", `{"info":{"sender":"two","event":"e"},"data":1}`); r.Status != carrier.StatusDenied {
		t.Error(r.Err())
	}
	if r := w.call(c, "add_sender", `{"sender":"two","events":["e"]}`); r.Status != carrier.StatusDenied {
		t.Error(r.Err())
	}
	w.SetPolicy(fakePolicy(all("bob")))
	w.done(c, "add_sender", `{"sender":"two","events":["e"]}`)
	w.done(c, "signal", `{"info":{"sender":"two","event":"e"},"data":1}`)
}

// TestUnknownClients: a client that nobody knows any more is disconnected, and so is one that comes after that.
func TestUnknownClients(t *testing.T) {
	w := newPolicyWorld(t, ServerOptions{})
	defer w.end()
	ann, bob := w.connect("ann", new(noteSink)), w.connect("bob", new(noteSink))
	w.SetPolicy(fakePolicy(all("bob")))
	if id := <-w.gone; id != ann.id || !errors.Is(context.Cause(ann.ctx), carrier.ErrRevoked) {
		t.Error(id, context.Cause(ann.ctx))
	}
	late := w.connect("ann", new(noteSink))
	if id := <-w.gone; late != nil && id != late.id {
		t.Error(id)
	}
	w.done(bob, "get_version", `{}`)
	w.SetPolicy(nil)
	if again := w.connect("ann", new(noteSink)); again.ctx.Err() != nil {
		t.Error("it is disconnected without a policy")
	}
}

// TestGapIsTheHubsOwn: a client cannot trigger #gap, whatever it may do; a device's carrier can.
func TestGapIsTheHubsOwn(t *testing.T) {
	w := newPolicyWorld(t, ServerOptions{})
	defer w.end()
	c := w.connect("", new(noteSink))
	w.done(c, "add_sender", `{"sender":"s","events":["e","#gap"]}`)
	for _, event := range []string{Gap, Connect, Disconnect} {
		r := w.call(c, "signal", fmt.Sprintf(`{"info":{"sender":"s","event":%q},"data":{"count":1}}`, event))
		if r.Status == carrier.StatusDone {
			t.Errorf("%s is triggered", event)
		}
	}
	c.by.carrier = reportingCarrier{c.by.carrier}
	w.done(c, "signal", `{"info":{"sender":"s","event":"#gap"},"data":{"count":1}}`)
}

type reportingCarrier struct{ carrier.Carrier }

func (reportingCarrier) Reports() bool { return true }

// TestNamesOfDevices: a client without a uid does not take the name of a device that is away, however long it is, while a policy is in
// force; an admin may.
func TestNamesOfDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPolicyWorld(t, ServerOptions{})
		defer w.end()
		w.Reserve("cpu")
		device := func() *client {
			w.clients++
			w.handler.ClientConnected(carrier.Client{ID: w.clients, Codec: carrier.JSON, Hello: true, Identity: "device", UID: "77", Restricted: true, Addr: "serial:///dev/a"})
			return w.handler.client(w.clients)
		}
		w.SetPolicy(fakePolicy(append(append(all("device"), all("ann")...), append(all("zoe"), grant{"zoe", verb.Admin, "", ""})...)))
		d := device()
		w.done(d, "add_sender", `{"sender":"light","events":[]}`)
		w.goes(d.id, carrier.ErrUnplugged)
		<-d.whenLeft()
		ann := w.connect("ann", new(noteSink))
		time.Sleep(time.Hour) // in the bubble
		for _, name := range []string{"light", "cpu"} {
			if r := w.call(ann, "add_sender", fmt.Sprintf(`{"sender":%q,"events":[]}`, name)); r.Status != carrier.StatusDenied {
				t.Errorf("%s: %v", name, r.Err())
			}
		}
		w.done(ann, "add_sender", `{"sender":"lamp","events":[]}`)
		d = device()
		w.done(d, "add_sender", `{"sender":"light","events":[]}`)
		w.done(d, "remove_sender", `{"sender":"light"}`)
		w.done(w.connect("zoe", new(noteSink)), "add_sender", `{"sender":"light","events":[]}`)
		w.SetPolicy(nil)
	})
}
