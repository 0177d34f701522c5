package mqtt

import (
	"fmt"
	"testing"
	"time"

	"sighub/carrier"
)

// rack is a journal's marks.
type rack map[string][]byte

func (s rack) State(key string) []byte { return s[key] }

func (s rack) Keep(_ carrier.ClientID, m carrier.Mark, then func()) {
	s[m.Key] = m.State
	then()
}

// TestSessionsEnd: a session whose client was there when the hub ended counts as left then, so that its time ends, too.
func TestSessionsEnd(t *testing.T) {
	s := &Server{options: Options{}.withDefaults(), keeper: rack{sessionsKey: []byte(
		`[{"client":"there","expiry":60,"subs":[{"filter":"a/b","cursors":["c"]}]},{"client":"gone","expiry":60,"left":1}]`)}}
	k := &s.kept
	k.load(s)
	now := time.Now()
	for client, want := range map[string]bool{"there": false, "gone": true} {
		if got := k.list[sessionKey{client: client}].over(now); got != want {
			t.Errorf("%s: over is %t", client, got)
		}
	}
	if !k.list[sessionKey{client: "there"}].over(now.Add(time.Hour)) {
		t.Error("a session stays for ever")
	}
	if !k.dropOldest() || k.list[sessionKey{client: "gone"}] != nil || !k.dropOldest() || k.dropOldest() || len(k.cursors) != 1 {
		t.Errorf("left: %v, cursors %v", k.list, k.cursors)
	}
	k.write()
	if got := string(s.keeper.State(sessionsKey)); got != "[]" {
		t.Errorf("saved: %s", got)
	}
	damaged := &Server{options: Options{}.withDefaults(), keeper: rack{sessionsKey: []byte("{")}}
	damaged.kept.load(damaged)
	if len(damaged.kept.list) != 0 {
		t.Error(damaged.kept.list)
	}
}

// TestClock: a clock that is set while the hub runs, or that was wrong when it ended, ends no session early and keeps none for ever.
func TestClock(t *testing.T) {
	marks := rack{}
	load := func(state string) *keptSessions {
		if state != "" {
			marks[sessionsKey] = []byte(state)
		}
		s := &Server{options: Options{}.withDefaults(), keeper: marks}
		s.kept.load(s)
		return &s.kept
	}
	p := sessionKey{client: "p"}
	k := load(fmt.Sprintf(`[{"client":"p","expiry":3600,"left":%d}]`, time.Now().Add(1000*time.Hour).Unix())) // it was set back
	if one := k.list[p]; one.over(time.Now()) || !one.over(time.Now().Add(time.Hour+time.Minute)) {
		t.Error("a client that has gone in the future has a session for another time than it was told")
	}
	one := k.list[p]
	one.gone = time.Now().Add(-time.Minute)
	one.Left = 1 // as a clock said that has been set since
	if one.over(time.Now()) {
		t.Error("the session ends because the clock was set")
	}
	k.save()
	k.write()
	if one := load("").list[p]; one.over(time.Now()) || !one.over(time.Now().Add(time.Hour)) {
		t.Errorf("after a start of the hub, a session ends at another time: %s", marks[sessionsKey])
	}
}
