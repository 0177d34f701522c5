package hub

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/hub/verb"
	"sighub/journal"
)

// A pausingPolicy does something when it is asked about a request for the first time, after it has made up its mind.
type pausingPolicy struct {
	fakePolicy
	then func()
}

func (p pausingPolicy) May(identity string, v verb.Verb, sender, name string) (bool, string) {
	ok, rule := p.fakePolicy.May(identity, v, sender, name)
	if v == verb.Request && name != "" {
		p.then()
	}
	return ok, rule
}

// TestPolicyBetween: a request that is allowed by a policy, and registered when another one is in force already, is not passed on.
func TestPolicyBetween(t *testing.T) {
	for _, sender := range []string{"own", "far"} {
		t.Run(sender, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newPolicyWorld(t, ServerOptions{})
				defer w.end()
				rules := fakePolicy(append(all("ann"), all("bob")...))
				w.SetPolicy(rules)
				asked := false
				if _, err := w.AddSender("own", SenderOptions{Default: func(_ context.Context, _ string, _ carrier.Value) (any, error) {
					asked = true
					return nil, nil
				}}); err != nil {
					t.Fatal(err)
				}
				w.done(w.connect("bob", new(noteSink)), "add_sender", `{"sender":"far","events":[],"requests":[null]}`)
				c := w.connect("ann", new(noteSink))
				var once sync.Once
				w.SetPolicy(pausingPolicy{rules, func() {
					once.Do(func() { w.SetPolicy(fakePolicy(append(all("bob"), grant{"ann", verb.Listen, "x", "y"}))) })
				}})
				r := w.call(c, "request", `{"sender":"`+sender+`","method":"m","params":1}`)
				if r.Status != carrier.StatusDenied {
					t.Errorf("it is answered with %+v", r)
				}
				synctest.Wait()
				if sent := w.carrier.take(); len(sent) > 0 || asked {
					t.Error("it was passed on")
				}
				if c.asks != nil || c.pending.Load() != 0 {
					t.Error("the request is left")
				}
			})
		})
	}
}

// TestPolicyBetweenReplay: events of the past that were read under one policy are told by the one that is in force then.
func TestPolicyBetweenReplay(t *testing.T) {
	w := newPolicyWorld(t, ServerOptions{})
	defer w.end()
	w.SetPolicy(fakePolicy(all("ann")))
	sink := new(noteSink)
	c := w.connect("ann", sink)
	l, _ := w.listen(c, "", "")
	if l == nil {
		t.Fatal("it may not listen")
	}
	r := &replay{listener: l, outbox: &c.outbox, batch: make([]journal.Entry, 3)}
	for i, sender := range []string{"a", "b", "a"} {
		r.batch[i] = journal.Entry{Event: journal.Event{Topic: journal.Topic{Sender: sender, Event: "e"}, Time: 1, Data: []byte{1}}}
	}
	if n := r.sift(3); n != 3 {
		t.Fatal(n, "events may be heard")
	}
	w.SetPolicy(fakePolicy{{"ann", verb.Listen, "b", "*"}})
	if n, err := r.put(r.batch, 0); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	if lines := sink.take(); len(lines) != 1 || !slices.Contains(lines, "1 b e") {
		t.Errorf("it is told %q", lines)
	}
}

// TestExpelBefore: a client that has proven who it is before something of that was revoked, and comes to the hub after, is disconnected; one
// that has proven it since then, or by what cannot be revoked, is not.
func TestExpelBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newPolicyWorld(t, ServerOptions{})
		defer w.end()
		connect := func(identity string, proven time.Time) (gone bool) {
			w.clients++
			w.handler.ClientConnected(carrier.Client{
				ID: w.clients, Codec: carrier.JSON, Hello: true, Window: 64, Signals: new(noteSink), Identity: identity, Proven: proven,
			})
			synctest.Wait()
			select {
			case id := <-w.gone:
				return id == w.clients
			default:
				return false
			}
		}
		before := time.Now()
		if connect("ann", before) {
			t.Error("ann is disconnected, and nothing was revoked")
		}
		time.Sleep(time.Second)
		if n := w.Expel("ann"); n != 1 || <-w.gone != 1 {
			t.Error(n, "clients are disconnected")
		}
		at := time.Now()
		time.Sleep(time.Second)
		for _, test := range []struct {
			identity string
			proven   time.Time
			gone     bool
		}{{"ann", before, true}, {"ann", at, true}, {"ann", time.Now(), false}, {"ann", time.Time{}, false}, {"bob", before, false}, {"", before, false}} {
			if gone := connect(test.identity, test.proven); gone != test.gone {
				t.Errorf("%q, %s before the revocation: gone is %t", test.identity, at.Sub(test.proven), gone)
			}
		}
	})
}
