package homeassistant

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/hub"
)

// TestStates: of what comes quickly, the newest is said; what is said depends on the times of events, and not on the order.
func TestStates(t *testing.T) {
	a, err := NewAnnouncer(AnnouncerOptions{Plan: Plan{Topics: Topics{Prefix: "p/"}}})
	if err != nil {
		t.Fatal(err)
	}
	n := NewStates(a, func(_, event string) bool { return event != "secret" })
	a.Listed([]hub.SenderInfo{{Name: "s", Connected: true, Events: []string{"e", "secret"}}})
	if _, err := a.Publish(t.Context(), nowhere{}, true); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	hear := func(event string, data any, at time.Time) {
		n.Heard(hub.Event{Sender: "s", Name: event, Time: at, Data: carrier.ValueOf(data)})
	}
	said := func(now time.Time) string {
		list, _ := n.Take(now, time.Second)
		var texts []string
		for _, m := range list {
			texts = append(texts, fmt.Sprintf("%s %s", m.Topic, m.Payload))
		}
		return strings.Join(texts, ", ")
	}
	expect := func(at time.Time, want string) {
		t.Helper()
		if got := said(at); got != want {
			t.Errorf("said is %q, not %q", got, want)
		}
	}
	hear("e", 1, now)
	hear("e", 2, now.Add(time.Millisecond))
	hear("secret", 3, now)
	expect(now, "p/s/e 2")
	hear("e", 1, now)
	expect(now, "")
	hear("e", 3, now.Add(time.Second))
	if list, wait := n.Take(now.Add(time.Millisecond), time.Second); len(list) > 0 || wait <= 0 || wait > time.Second {
		t.Errorf("%v, %s", list, wait)
	}
	expect(now.Add(time.Second), "p/s/e 3")

	// That a sender has gone wakes whoever says states: nothing else may happen for hours.
	select {
	case <-n.Changed():
	default:
	}
	n.Heard(hub.Event{Sender: "s", Name: hub.Disconnect, Time: now, Data: carrier.ValueOf(hub.Connection{Reason: "unplugged"})})
	select {
	case <-n.Changed():
	default:
		t.Error("nobody is told that a sender has gone")
	}

	// A clock that was ahead does not keep all that comes later away.
	hear("e", 4, now.Add(20*time.Hour))
	expect(now.Add(2*time.Second), "p/s/e 4")
	hear("e", 5, now.Add(2*time.Second))
	expect(now.Add(4*time.Second), "p/s/e 5")

	// What the broker has is newer.
	n.Known("p/s/e", now.Add(30*time.Second), now)
	n.Again()
	expect(now.Add(9*time.Second), "")
	hear("e", 6, now.Add(10*time.Second))
	expect(now.Add(19*time.Second), "")
	hear("e", 7, now.Add(31*time.Second))
	expect(now.Add(29*time.Second), "p/s/e 7")
	n.Again()
	expect(now.Add(29*time.Second), "p/s/e 7")
	n.Forget(nil)
	n.Again()
	expect(now.Add(39*time.Second), "")
}

// nowhere is a broker that takes everything.
type nowhere struct{}

func (nowhere) Retain(context.Context, string, []byte) error { return nil }
