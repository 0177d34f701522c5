package hub_test

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"sighub/carrier/local"
	"sighub/hub"
)

// TestMore: a client adds to what its sender offers. Its listeners hear of that, and not that it has gone; whoever else has the name
// is still refused.
func TestMore(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s := hub.NewServerRouter(hub.ServerOptions{})
	near := local.NewHub(local.Options{})
	serving, stop := context.WithCancel(t.Context())
	ended := make(chan error, 3)
	go func() { ended <- s.Serve(serving, near) }()
	var clients []*hub.ClientRouter
	for range 2 {
		r := hub.NewClientRouter(hub.ClientOptions{})
		clients = append(clients, r)
		go func() { ended <- r.Serve(serving, near.NewPeer("client")) }()
		if err := r.WaitConnected(ctx); err != nil {
			t.Fatal(err)
		}
	}
	defer func() {
		stop()
		for range 3 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}()
	heard := make(chan string, 100)
	for _, l := range []struct{ sender, event, say string }{{"pump", "", ""}, {"", "#alarm", "channel "}} {
		_, err := s.AddListener(l.sender, l.event, func(e hub.Event) { heard <- cmp.Or(l.say, e.Name+" ") + shortly(e) })
		if err != nil {
			t.Fatal(err)
		}
	}
	call := func(c *hub.ClientRouter, method, params string) error {
		_, err := c.Call(ctx, method, json.RawMessage(params))
		return err
	}
	expect := func(want ...string) {
		t.Helper()
		for _, w := range want {
			select {
			case got := <-heard:
				if got != w {
					t.Errorf("heard %s, want %s", got, w)
				}
			case <-time.After(patience):
				t.Fatalf("did not hear %s", w)
			}
		}
	}
	do := func(method, params string) {
		t.Helper()
		if err := call(clients[0], method, params); err != nil {
			t.Fatalf("%s %s: %v", method, params, err)
		}
	}
	do("add_sender", `{"sender":"pump","events":["a"],"requests":["m"],"units":{"a":"W"},"more":true}`)
	do("signal", `{"info":{"sender":"pump","event":"a"},"data":1}`)
	do("add_sender", `{"sender":"pump","events":["b","#alarm","a"],"requests":["n"],"more":true}`)
	do("signal", `{"info":{"sender":"pump","event":"b"},"data":2}`)
	do("signal", `{"info":{"sender":"pump","event":"a"},"data":3}`)
	do("signal", `{"info":{"sender":"pump","event":"#alarm"},"data":4}`)
	do("remove_sender", `{"sender":"pump"}`)
	expect("#connect a m", "a 1", "#connect a b #alarm m n", "b 2", "a 3", "#alarm 4", "channel 4", "#disconnect a b #alarm m n")
	do("add_sender", `{"sender":"pump","events":["a"],"requests":null}`)
	expect("#connect a")
	for _, c := range []struct {
		client int
		params string
	}{
		{0, `{"sender":"pump","events":["b"],"requests":null}`},
		{1, `{"sender":"pump","events":["b"],"requests":null,"more":true}`},
		{0, `{"sender":"pump","events":["\n"],"requests":null,"more":true}`},
	} {
		if err := call(clients[c.client], "add_sender", c.params); err == nil {
			t.Errorf("client %d: %s is done", c.client, c.params)
		}
	}
	do("signal", `{"info":{"sender":"pump","event":"a"},"data":5}`)
	expect("a 5")
}

// shortly returns the events that a connection offers, or else the data.
func shortly(e hub.Event) string {
	var c struct{ Events, Requests []string }
	if e.Name != hub.Connect && e.Name != hub.Disconnect || e.Data.Decode(&c) != nil {
		return e.Data.String()
	}
	var own []string
	for _, event := range c.Events {
		if event != hub.Connect && event != hub.Disconnect {
			own = append(own, event)
		}
	}
	slices.Sort(c.Requests)
	return strings.Join(append(own, c.Requests...), " ")
}
