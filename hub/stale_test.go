package hub_test

import (
	"testing"
	"testing/synctest"
	"time"

	"sighub/hub"
)

// TestLatestAfterStall: a listener that wants the latest and stands still hears what came in the first second of that,
// and then the latest.
func TestLatestAfterStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const stall, each = 20 * time.Second, 100 * time.Millisecond
		w := serve(t, hub.ServerOptions{Outbox: hub.OutboxOptions{Policy: hub.Latest}})
		c, _, _ := w.client(t, "stands still", hub.ClientOptions{})
		sent, heard, old := 0, 0, 0
		addRemoteListener(t, c, "fast", "", func(ev hub.Event) {
			switch ev.Name {
			case hub.Gap:
				var loss hub.Loss
				if err := ev.Data.Decode(&loss); err != nil {
					t.Error(err)
				}
				heard += int(loss.Count)
			case "e":
				if heard == 0 {
					time.Sleep(stall)
				}
				heard++
				if time.Since(ev.Time) > 150*time.Millisecond {
					old++
				}
			}
		})
		fast := addSender(t, w.Router, "fast", "e")
		for begin := time.Now(); time.Since(begin) < stall+time.Second; sent++ {
			trigger(t, fast, "e", sent)
			time.Sleep(each)
		}
		synctest.Wait()
		if most := int(time.Second/each) + 2; old > most {
			t.Errorf("%d events were old when they were heard", old)
		}
		if heard != sent {
			t.Errorf("of %d events %d were heard or told as lost", sent, heard)
		}
	})
}

// TestLatestIsNeverOld: a listener that wants the latest and handles one event in ten hears none that is old, of no sender,
// and is told of all that it misses.
func TestLatestIsNeverOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const sent = 5000
		w := serve(t, hub.ServerOptions{Outbox: hub.OutboxOptions{Policy: hub.Latest, Limit: 10_000}})
		c, _, _ := w.client(t, "slow", hub.ClientOptions{})
		heard := make(map[string]int)
		last := make(map[string]uint64)
		var oldest time.Duration
		begin := time.Now()
		for _, name := range []string{"fast", "calm"} {
			addRemoteListener(t, c, name, "", func(ev hub.Event) {
				switch ev.Name {
				case hub.Gap:
					var loss hub.Loss
					if err := ev.Data.Decode(&loss); err != nil {
						t.Error(err)
					}
					heard[name] += int(loss.Count)
				case "e":
					heard[name]++
					if ev.Seq <= last[name] {
						t.Errorf("%s: event %d comes after %d", name, ev.Seq, last[name])
					}
					last[name] = ev.Seq
					if ev.Time.Sub(begin) > time.Second { // what was on its way before it was known to be slow has come
						oldest = max(oldest, time.Since(ev.Time))
					}
					time.Sleep(10 * time.Millisecond)
				}
			})
		}
		fast, calm := addSender(t, w.Router, "fast", "e"), addSender(t, w.Router, "calm", "e")
		for i := range sent {
			trigger(t, fast, "e", i)
			if i%100 == 0 {
				trigger(t, calm, "e", i)
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if oldest > time.Second {
			t.Errorf("an event was heard that was %v old", oldest)
		}
		if heard["fast"] != sent || heard["calm"] != sent/100 {
			t.Errorf("%v were heard or told as lost", heard)
		}
	})
}
