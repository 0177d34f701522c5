package hub

import (
	"fmt"
	"testing"
)

// TestOutboxChanges goes through every pair of states: the changes of the table are made, others are refused and change
// nothing, and whoever waits for room is woken as soon as waiting is in vain.
func TestOutboxChanges(t *testing.T) {
	names := []string{following: "following", lagging: "lagging", leaving: "leaving", gone: "gone"}
	allowed := map[string]bool{
		"following→lagging": true, "lagging→following": true,
		"following→leaving": true, "lagging→leaving": true,
		"leaving→following": true,
		"following→gone":    true, "lagging→gone": true, "leaving→gone": true,
	}
	for from := range names {
		for to := range names {
			change := fmt.Sprintf("%s→%s", names[from], names[to])
			room := make(chan struct{})
			o := outbox{state: outboxState(from), room: room}
			made := o.become(outboxState(to))
			if made != allowed[change] {
				t.Errorf("%s: made is %v", change, made)
			}
			if want := map[bool]int{true: to, false: from}[made]; o.state != outboxState(want) {
				t.Errorf("%s: the state is %s", change, names[o.state])
			}
			woken := false
			select {
			case <-room:
				woken = true
			default:
			}
			if woken != (made && outboxState(to) != following) {
				t.Errorf("%s: who waits for room is woken: %v", change, woken)
			}
			if takes := o.state == following || o.state == lagging; o.takes() != takes {
				t.Errorf("%s: takes() is %v", change, o.takes())
			}
		}
	}
}
