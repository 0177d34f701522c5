package mqtt

import (
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
