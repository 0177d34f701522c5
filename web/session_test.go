package web

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"sighub/listen"
)

// TestOver: a session that the hub has ended while it waited is given to nobody.
func TestOver(t *testing.T) {
	h := newHouse(t, false, Options{})
	v, all := visitor{identity: "ann", place: "p"}, h.site.sessions
	one, err := all.take(v, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	all.give(v, one)
	same, err := all.take(v, time.Time{})
	if err != nil || same != one {
		t.Errorf("a session that waits is not used again: %v", err)
	}
	all.give(v, same)
	one.close()
	another, err := all.take(v, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if another == one || another.over() {
		t.Error("there is a session that has ended")
	}
	all.drop(another)
}

// TestIdle: few sessions of one visitor wait, and few of all.
func TestIdle(t *testing.T) {
	h := newHouse(t, false, Options{})
	all := h.site.sessions
	for n := range mostIdle + 2 {
		v := visitor{identity: fmt.Sprint(n), place: "p"}
		var taken []*session
		for range perIdle + 1 {
			s, err := all.take(v, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			taken = append(taken, s)
		}
		for _, s := range taken {
			all.give(v, s)
		}
		all.mu.Lock()
		if len(all.idle[v]) > perIdle || all.count > mostIdle {
			t.Errorf("%d sessions of one wait, and %d of all", len(all.idle[v]), all.count)
		}
		all.mu.Unlock()
	}
}

// TestExpelled: who has proven the identity before it was expelled hears nothing, and who has after that does.
func TestExpelled(t *testing.T) {
	h := newHouse(t, false, Options{})
	before := time.Now()
	h.router.Expel("ann")
	ctx, cancel := context.WithTimeout(listen.WithProven(listen.WithIdentity(t.Context(), "ann"), before), time.Minute)
	defer cancel()
	_ = h.site.within(httptest.NewRequestWithContext(ctx, "GET", "/", nil), func(c *session) error {
		select {
		case <-c.done:
		case <-ctx.Done():
			t.Error("who was expelled hears on")
		}
		return nil
	})
	again := listen.WithProven(listen.WithIdentity(t.Context(), "ann"), time.Now().Add(time.Second))
	w := httptest.NewRecorder()
	if h.site.ServeHTTP(w, httptest.NewRequestWithContext(again, "GET", "/api/v1/senders", nil)); w.Code != 200 {
		t.Errorf("who has come back is answered with %d", w.Code)
	}
}
