package homeassistant

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
	"sighub/hub"
)

// A shelf is a Broker that fails when it is told to.
type shelf struct {
	kept  map[string]string
	said  []string // topics in their order
	fails int      // after so many messages; 0: never
}

var errBroken = errors.New("broken")

func (s *shelf) Retain(_ context.Context, topic string, payload []byte) error {
	if s.fails > 0 {
		if s.fails--; s.fails == 0 {
			return errBroken
		}
	}
	s.said = append(s.said, topic)
	if s.kept == nil {
		s.kept = make(map[string]string)
	}
	if len(payload) == 0 {
		delete(s.kept, topic)
	} else {
		s.kept[topic] = string(payload)
	}
	return nil
}

// configs returns the devices that are announced, each with its parts, but for those that are to be removed.
func (s *shelf) configs(t *testing.T) (list []string) {
	t.Helper()
	for topic, data := range s.kept {
		if !strings.HasSuffix(topic, "/config") {
			continue
		}
		if err := judge(topic, []byte(data)); err != nil {
			t.Error(err)
		}
		var o object
		if err := json.Unmarshal([]byte(data), &o); err != nil {
			t.Fatal(err)
		}
		for key, c := range o["components"].(object) {
			if c := c.(object); len(c) > 1 && key != "binary_sensor--hub" {
				list = append(list, fmt.Sprint(o["device"].(object)["name"], " ", key))
			}
		}
	}
	slices.Sort(list)
	return list
}

// states publishes the states of all that is announced, as a bridge does.
func (s *shelf) states(a *Announcer) {
	for sender := range a.Senders() {
		s.kept[a.o.Plan.Topics.State(sender)] = "{}"
		for _, e := range a.roster.senders[sender].Events {
			s.kept[a.o.Plan.Topics.Event(sender, e.Name)] = "1"
		}
	}
}

func newAnnouncer(t *testing.T, file string) *Announcer {
	t.Helper()
	a, err := NewAnnouncer(AnnouncerOptions{Plan: *testPlan(), File: file})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func connect(a *Announcer, sender, uid, device string, requests []string, events ...string) {
	c := hub.Connection{Events: append(events, hub.Connect, hub.Disconnect), Units: map[string]string{"temp": "Cel"}}
	if uid != "-" {
		h := fnv.New64a()
		_, _ = h.Write([]byte(device)) // it never fails
		c.Client = &hub.ClientInfo{ID: h.Sum64(), UID: uid, Name: device}
	}
	for _, r := range requests {
		c.Requests = append(c.Requests, &r)
	}
	a.Heard(&hub.Event{Sender: sender, Name: hub.Connect, Data: carrier.ValueOf(c)}, nil)
}

func disconnect(a *Announcer, sender, reason string) {
	a.Heard(&hub.Event{Sender: sender, Name: hub.Disconnect, Data: carrier.ValueOf(hub.Connection{Reason: reason})}, nil)
}

func value(a *Announcer, sender, event, data string) {
	a.Heard(&hub.Event{Sender: sender, Name: event}, []byte(data))
}

func publish(t *testing.T, a *Announcer, s *shelf, everything bool) {
	t.Helper()
	if _, err := a.Publish(t.Context(), s, everything); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, s *shelf, want ...string) {
	t.Helper()
	if got := s.configs(t); !slices.Equal(got, want) {
		t.Fatalf("announced are\n%s, not\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestAnnouncer: what comes is announced, what is away stays, what has left is cleared, each with its states.
func TestAnnouncer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "ha.json")
		a, s := newAnnouncer(t, file), new(shelf)
		connect(a, "air", "01", "attic", nil, "temp", "raw")
		connect(a, "pump", "01", "attic", []string{"stop"})
		connect(a, "cpu", "-", "", nil, "temp")
		publish(t, a, s, true)
		expect(t, s, "Barn sensor--cpu--temp", "attic button--pump--request--stop", "attic sensor--air--temp")
		s.states(a)
		value(a, "air", "raw", "12") // now it is known what it is
		publish(t, a, s, false)
		expect(t, s, "Barn sensor--cpu--temp", "attic button--pump--request--stop", "attic sensor--air--raw", "attic sensor--air--temp")
		said := len(s.said)
		value(a, "air", "raw", "13")
		publish(t, a, s, false)
		if len(s.said) != said {
			t.Errorf("the same is announced again: %q", s.said[said:])
		}

		disconnect(a, "air", "unplugged")
		disconnect(a, "pump", "unplugged")
		time.Sleep(time.Hour)
		publish(t, a, s, false)
		expect(t, s, "Barn sensor--cpu--temp", "attic button--pump--request--stop", "attic sensor--air--raw", "attic sensor--air--temp")

		// The hub starts again, and the device comes back with another dictionary.
		a = newAnnouncer(t, file)
		publish(t, a, s, true)
		expect(t, s, "Barn sensor--cpu--temp", "attic button--pump--request--stop", "attic sensor--air--raw", "attic sensor--air--temp")
		connect(a, "sky", "01", "roof", nil, "temp")
		publish(t, a, s, false)
		s.states(a)
		time.Sleep(settle)
		publish(t, a, s, false)
		expect(t, s, "Barn sensor--cpu--temp", "roof sensor--sky--temp")
		if !strings.Contains(s.kept["homeassistant/device/sighub_01/config"], `"sensor--air--temp":{"platform":"sensor"}`) {
			t.Errorf("what is gone is not told: %s", s.kept["homeassistant/device/sighub_01/config"])
		}
		for topic := range s.kept {
			if strings.Contains(topic, "/air/") || strings.Contains(topic, "/pump/") {
				t.Errorf("%s is left", topic)
			}
		}

		// A part that comes back is there again.
		connect(a, "air", "01", "roof", nil, "temp")
		publish(t, a, s, false)
		expect(t, s, "Barn sensor--cpu--temp", "roof sensor--air--temp", "roof sensor--sky--temp")

		disconnect(a, "cpu", "removed")
		time.Sleep(settle)
		publish(t, a, s, false)
		expect(t, s, "roof sensor--air--temp", "roof sensor--sky--temp")

		disconnect(a, "air", "closed")
		disconnect(a, "sky", "closed")
		time.Sleep(31 * 24 * time.Hour)
		publish(t, a, s, false)
		expect(t, s)
		if _, there := s.kept["homeassistant/device/sighub_01/config"]; there {
			t.Error("a device that was forgotten is still announced")
		}
		if err := a.Clear(t.Context(), s); err != nil || len(s.kept) > 0 {
			t.Errorf("%v, left: %v", err, s.kept)
		}
		if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	})
}

// TestBackAtOnce: a device may be back, with other names, before it is noticed that it was away. One that is pulled keeps what it has.
func TestBackAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, s := newAnnouncer(t, ""), new(shelf)
		connect(a, "zinc", "01", "attic", nil, "temp")
		time.Sleep(time.Second)
		connect(a, "sky", "01", "roof", nil, "temp")
		connect(a, "sun", "01", "roof", nil, "temp")
		time.Sleep(time.Second)
		disconnect(a, "zinc", "timeout")
		publish(t, a, s, false)
		expect(t, s, "roof sensor--sky--temp", "roof sensor--sun--temp", "roof sensor--zinc--temp")
		time.Sleep(settle)
		publish(t, a, s, false)
		expect(t, s, "roof sensor--sky--temp", "roof sensor--sun--temp")
		disconnect(a, "sky", "unplugged")
		time.Sleep(time.Second)
		disconnect(a, "sun", "unplugged")
		time.Sleep(settle)
		publish(t, a, s, false)
		expect(t, s, "roof sensor--sky--temp", "roof sensor--sun--temp")
	})
}

// TestOlderFile: a file that does not say when senders came has the latest name of a device all the same.
func TestOlderFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "ha.json")
		a, s := newAnnouncer(t, file), new(shelf)
		connect(a, "zinc", "01", "attic", nil, "temp")
		time.Sleep(time.Second)
		connect(a, "sky", "01", "roof", nil, "temp")
		publish(t, a, s, true)
		data, err := os.ReadFile(file)
		if err == nil {
			data = regexp.MustCompile(`"came":"[^"]*",`).ReplaceAll(data, nil)
			err = os.WriteFile(file, data, 0o600)
		}
		if err != nil || bytes.Contains(data, []byte("came")) {
			t.Fatalf("%v: %s", err, data)
		}
		publish(t, newAnnouncer(t, file), s, true)
		expect(t, s, "roof sensor--sky--temp", "roof sensor--zinc--temp")
	})
}

// TestConfigurationChanges: what is no longer configured is cleared: a sensor of the hub's own, an event, a prefix.
func TestConfigurationChanges(t *testing.T) {
	synctest.Test(t, testConfigurationChanges)
}

func testConfigurationChanges(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ha.json")
	a, s := newAnnouncer(t, file), new(shelf)
	connect(a, "cpu", "-", "", nil, "temp")
	connect(a, "disk", "-", "", nil, "temp")
	connect(a, "air", "01", "attic", nil, "temp", "secret")
	value(a, "air", "secret", "1")
	publish(t, a, s, true)
	s.states(a)

	o := AnnouncerOptions{Plan: *testPlan(), File: file, Takes: func(_, event string) bool { return event != "secret" }}
	o.Plan.Prefix, o.Plan.Topics.Prefix = "ha", "barn/"
	a, err := NewAnnouncer(o)
	if err != nil {
		t.Fatal(err)
	}
	a.Own([]string{"disk"})
	publish(t, a, s, true)
	time.Sleep(settle)
	publish(t, a, s, false)
	expect(t, s, "Barn sensor--disk--temp", "attic sensor--air--temp")
	for topic := range s.kept {
		if !strings.HasPrefix(topic, "ha/") && !strings.HasPrefix(topic, "barn/") {
			t.Errorf("%s is left", topic)
		}
	}
}

// TestOnline: when Home Assistant has started, it is told everything again, a little later.
func TestOnline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, s := newAnnouncer(t, ""), new(shelf)
		connect(a, "air", "01", "attic", nil, "temp")
		publish(t, a, s, true)
		<-a.Changed()
		delays := make(map[time.Duration]bool)
		for range 8 {
			said := len(s.said)
			a.Online()
			<-a.Changed()
			begun := time.Now()
			for len(s.said) == said {
				wait, err := a.Publish(t.Context(), s, false)
				if err != nil {
					t.Fatal(err)
				}
				if len(s.said) == said {
					time.Sleep(wait)
				}
			}
			delays[time.Since(begun)] = true
			if n := len(s.said) - said; n != 2 || time.Since(begun) > 6*time.Second {
				t.Errorf("%d announcements after %s", n, time.Since(begun))
			}
		}
		if len(delays) < 4 {
			t.Errorf("the delays are %v", delays)
		}
	})
}

// TestListed: what is heard while the hub is asked for a list is newer than the list.
func TestListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, s := newAnnouncer(t, ""), new(shelf)
		connect(a, "old", "-", "", nil, "temp")
		a.Listing()
		connect(a, "fresh", "-", "", nil, "temp")
		disconnect(a, "late", "removed")
		a.Listed([]hub.SenderInfo{{Name: "late", Connected: true, Events: []string{"temp"}}, {Name: "there", Connected: true, Events: []string{"temp"}}})
		publish(t, a, s, true)
		got := fmt.Sprint(a.Senders())
		if got != "map[fresh:true old:false there:true]" {
			t.Errorf("the senders are %s", got)
		}
	})
}

// TestConnections: each change of who is connected is told once, and a sender that comes anew is told anew.
func TestConnections(t *testing.T) {
	a, s := newAnnouncer(t, ""), new(shelf)
	said := make(map[string]bool)
	expect := func(what, want string) {
		t.Helper()
		publish(t, a, s, false)
		if got := fmt.Sprint(a.Connections(said)); got != want {
			t.Errorf("%s: changed is %s, not %s", what, got, want)
		}
		if again := a.Connections(said); len(again) > 0 {
			t.Errorf("%s: changed again is %v", what, again)
		}
	}
	connect(a, "x", "01", "x", nil, "e")
	connect(a, "y", "02", "y", nil, "e")
	value(a, "x", "e", "1")
	value(a, "y", "e", "1")
	expect("both have come", "map[x:true y:true]")
	disconnect(a, "x", "unplugged")
	expect("one has gone", "map[x:false]")
	connect(a, "x", "01", "x", nil, "e")
	expect("it is back", "map[x:true]")
	said["removed"] = true
	expect("one is not announced", "map[]")
	if len(said) != 2 {
		t.Errorf("said is %v", said)
	}
}

// TestKinds: data that is now this and now that does not have a device announced again and again.
func TestKinds(t *testing.T) {
	a, s := newAnnouncer(t, ""), new(shelf)
	connect(a, "x", "01", "x", nil, "e")
	for i := range 100 {
		value(a, "x", "e", []string{"1", "true", `"a"`, "null", "-1.5"}[i%5])
		publish(t, a, s, false)
	}
	expect(t, s, "x sensor--x--e")
	if len(s.said) > 5 {
		t.Errorf("%d announcements", len(s.said))
	}
	value(a, "x", "e", `{"a":1}`)
	publish(t, a, s, false)
	expect(t, s)
}

// TestDamagedFile: it is not replaced, for it may say what has to be cleared.
func TestDamagedFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ha.json")
	for _, data := range []string{"", "{}", "[]", `{"version":1,"senders":[null]}`, `{"version":1,"published":{"a":null}}`, `{"version":2}`, "{"} {
		if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := NewAnnouncer(AnnouncerOptions{Plan: *testPlan(), File: file}); err == nil || !strings.Contains(err.Error(), "remove it") {
			t.Errorf("%q: %v", data, err)
		}
	}
}

// TestMany: what strangers have remembered is bounded, and what is connected is not given up for what comes.
func TestMany(t *testing.T) {
	a := newAnnouncer(t, "")
	connect(a, "first", "-", "", nil, "temp")
	for i := range 2 * maxSenders {
		name := fmt.Sprint("s", i)
		connect(a, name, "-", "", nil, "temp")
		disconnect(a, name, "closed")
	}
	if n := len(a.roster.senders); n != maxSenders {
		t.Errorf("%d senders", n)
	}
	if a.roster.senders["first"] == nil {
		t.Error("one that is connected was forgotten")
	}
	events := make([]string, 3000)
	for i := range events {
		events[i] = fmt.Sprint("e", i)
	}
	connect(a, "first", "-", "", nil, events...)
	if n := len(a.roster.senders["first"].Events); n != maxEvents {
		t.Errorf("%d events", n)
	}
}

// TestCrashes: whatever happens, and wherever the hub or the broker stops, nothing is left at the broker in the end that is not announced.
func TestCrashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(15) {
			random := rand.New(rand.NewPCG(seed, 1))
			file := filepath.Join(t.TempDir(), "ha.json")
			a, s := newAnnouncer(t, file), &shelf{kept: make(map[string]string)}
			for range 60 {
				sender, uid := fmt.Sprint("s", random.IntN(6)), fmt.Sprint(random.IntN(3))
				switch random.IntN(8) {
				case 0, 1:
					connect(a, sender, uid, "d", []string{"stop"}, "temp", fmt.Sprint("e", random.IntN(3)))
				case 2:
					connect(a, sender, "-", "", nil, "temp")
				case 3:
					disconnect(a, sender, []string{"removed", "closed"}[random.IntN(2)])
				case 4:
					value(a, sender, fmt.Sprint("e", random.IntN(3)), []string{"1", "true"}[random.IntN(2)])
				case 5:
					time.Sleep(settle)
				case 6: // the broker goes in the middle
					s.fails = 1 + random.IntN(5)
					if _, err := a.Publish(t.Context(), s, random.IntN(2) == 0); err == nil {
						s.states(a)
					}
					s.fails = 0
					if random.IntN(2) == 0 { // and the hub with it
						a = newAnnouncer(t, file)
					}
				case 7:
					publish(t, a, s, false)
					s.states(a)
				}
			}
			publish(t, a, s, true)
			for name, there := range a.Senders() {
				if there {
					disconnect(a, name, "closed")
				}
			}
			publish(t, a, s, true)
			s.states(a)
			time.Sleep(40 * 24 * time.Hour)
			publish(t, a, s, true)
			expect(t, s)
			for topic := range s.kept {
				if topic != "homeassistant/device/sighub_h1/config" {
					t.Errorf("seed %d: %s is left", seed, topic)
				}
			}
		}
	})
}
