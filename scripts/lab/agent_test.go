package main

import (
	"bufio"
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"sighub/scripts/lab/wire"
)

// guest is an agent inside a machine that answers each call with these lines, % standing for its number.
func guest(t *testing.T, lines ...string) *agent {
	ours, theirs := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for calls := bufio.NewScanner(theirs); calls.Scan(); {
			_, id, _ := strings.Cut(calls.Text(), `"id":`)
			id, _, _ = strings.Cut(id, ",")
			for _, l := range lines {
				_, _ = theirs.Write([]byte(strings.ReplaceAll(l, "%", id) + "\n"))
			}
		}
	}()
	a := newAgent(ours)
	t.Cleanup(func() {
		a.close()
		theirs.Close()
		<-done
	})
	return a
}

func TestAgentAnswers(t *testing.T) {
	a := guest(t, `{"sight":{"at":5,"kind":"uevent","name":"ttyUSB0","text":"add"}}`, `{"answer":{"id":%,"result":7}}`)
	before := a.mark()
	var n int
	if err := a.do(t.Context(), "now", wire.Target{Name: "x"}, &n); err != nil || n != 7 {
		t.Errorf("%d, %v", n, err)
	}
	s, err := a.await(t.Context(), before, time.Minute, "the port", uevent("add", ""))
	if err != nil || s.At != 5 || s.Name != "ttyUSB0" {
		t.Errorf("%v, %v", s, err)
	}
	if _, err := a.await(t.Context(), before, time.Millisecond, "a port's end", uevent("remove", "")); err == nil ||
		!strings.Contains(err.Error(), "a port's end") {
		t.Errorf("what never comes: %v", err)
	}
	if n := len(a.since(a.mark())); n != 0 {
		t.Errorf("%d sights after the last", n)
	}
}

func TestAgentFails(t *testing.T) {
	a := guest(t, `{"answer":{"id":%,"error":"read: no such file"}}`)
	if err := a.do(t.Context(), "read", nil, nil); err == nil || err.Error() != "read: no such file" {
		t.Errorf("%v", err)
	}
	a.close()
	if err := a.do(t.Context(), "read", nil, nil); err == nil {
		t.Error("a call of an agent that is gone succeeds")
	}
	if _, err := a.await(t.Context(), 0, time.Minute, "anything", isReady); err == nil {
		t.Error("an agent that is gone sees something")
	}
}

// TestAgentEnds: calls and waits that are under way end with the agent.
func TestAgentEnds(t *testing.T) {
	a := guest(t)
	errs := make(chan error, 2)
	go func() { errs <- a.do(context.Background(), "request", nil, nil) }()
	go func() {
		_, err := a.await(context.Background(), 0, time.Minute, "anything", isReady)
		errs <- err
	}()
	a.close()
	for range 2 {
		if err := <-errs; err == nil {
			t.Error("it ended without an error")
		}
	}
}
