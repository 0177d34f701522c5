package mqtt_test

import (
	"strings"
	"testing"
	"time"

	"sighub/carrier/mqtt"
	"sighub/internal/mqtt/packet"
)

// TestWillDelay: a will waits for its client to come back, and no longer than its session lasts (MQTT 5, 3.1.3.2.2).
func TestWillDelay(t *testing.T) {
	t.Parallel()
	const late = 900 * time.Millisecond
	expiry := func(seconds uint32) []byte { return packet.AppendUint32(nil, packet.PropSessionExpiry, seconds) }
	returns := func(w *world, clean bool) {
		w.connect(5, hello{id: "pump", dirty: !clean, props: expiry(60)})
	}
	for name, c := range map[string]struct {
		delay, expiry uint32
		disconnect    []byte // what the client says; nil: nothing
		then          func(w *world)
		least         time.Duration // until the will is told
		never         bool          // it is not told
	}{
		"no delay":                {expiry: 60},
		"delay":                   {delay: 1, expiry: 60, least: late},
		"session ends with it":    {delay: 60, expiry: 0},
		"session ends before":     {delay: 60, expiry: 1, least: late},
		"client comes back":       {delay: 60, expiry: 60, then: func(w *world) { returns(w, false) }, never: true},
		"client begins anew":      {delay: 60, expiry: 60, then: func(w *world) { returns(w, true) }},
		"DISCONNECT":              {delay: 60, expiry: 60, disconnect: []byte{}, never: true},
		"DISCONNECT with will":    {delay: 1, expiry: 60, disconnect: []byte{4}, least: late},
		"DISCONNECT ends session": {delay: 60, expiry: 60, disconnect: []byte{4, 5, 0x11, 0, 0, 0, 0}},
		"taken over":              {delay: 60, expiry: 60, then: func(w *world) { returns(w, false); returns(w, false) }, never: true},
	} {
		for _, folder := range []string{"", t.TempDir()} {
			kind := map[bool]string{true: " in memory", false: " in the journal"}[folder == ""]
			t.Run(name+kind, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, worldOptions{folder: folder})
				sub, _ := w.connect(5, hello{id: "sub"})
				sub.subscribe(1, "pump/LWT")
				p, _ := w.connect(5, hello{id: "pump", will: "pump/LWT=Offline", willDelay: c.delay, props: expiry(c.expiry)})
				began := time.Now()
				if c.disconnect != nil {
					p.send(frame(packet.Disconnect, 0, c.disconnect))
					p.closed()
				}
				if c.then == nil || name != "taken over" {
					_ = p.Close()
				}
				if c.then != nil {
					c.then(w)
				}
				if c.never { // none is left that could be told, and none was told
					if n := w.server.WaitingWills(); n > 0 {
						t.Errorf("%d wills wait", n)
					}
					next, _ := w.connect(5, hello{id: "next"})
					next.publish("pump/LWT", "next")
				}
				want := map[bool]string{true: `"next"`, false: `"Offline"`}[c.never]
				if g := sub.take(); g.payload != want {
					t.Errorf("heard %v, want %s", g, want)
				}
				if took := time.Since(began); took < c.least {
					t.Errorf("it is told after %v", took)
				}
			})
		}
	}
}

// TestManyWills: a will that finds no room does not wait.
func TestManyWills(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{folder: t.TempDir(), Options: mqtt.Options{Limits: mqtt.Limits{Sessions: 2}}})
	sub, _ := w.connect(5, hello{id: "sub"})
	sub.subscribe(1, "+/LWT")
	for _, id := range []string{"a", "b", "c"} {
		h := kept(id, 5)
		h.will, h.willDelay = id+"/LWT=gone", 60
		p, _ := w.connect(5, h)
		_ = p.Close()
		w.until("it has gone", func() bool { return !w.there(id) })
	}
	if g := sub.take(); !strings.HasSuffix(g.topic, "/LWT") { // of the session that made room, or of the one that found none
		t.Errorf("heard %v", g)
	}
}

// there reports whether a client is connected.
func (w *world) there(name string) bool {
	for _, c := range w.router.Clients() {
		if c.Name == name {
			return true
		}
	}
	return false
}

// TestCountedOnce: a message that is refused is counted once, in both versions, and told in plain words.
func TestCountedOnce(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		w := newWorld(t, worldOptions{})
		for id, text := range map[string]string{"a": "a/\u202e", "b": "a\u202e/b", "c": "alone", "d": "a/_b", "e": "a/ x"} {
			for qos := range uint16(2) {
				p, _ := w.connect(v, hello{id: id})
				p.send(p.publishPacket(text, "1", qos))
				switch {
				case qos == 0:
					p.ping()
				case v == 5:
					if body := p.expect(packet.Puback); strings.Contains(string(body), "hub:") || strings.Contains(string(body), "carrier:") {
						t.Errorf("%s: PUBACK %q", text, body)
					}
				default:
					w.until("it is counted", func() bool { return total(w.refusedOf(id)) > 0 || !w.there(id) })
					p.closed()
					continue
				}
				if refused := w.refusedOf(id); total(refused) != 1 {
					t.Errorf("%q: refused %v", text, refused)
				}
				p.send(frame(packet.Disconnect, 0, nil))
				p.closed()
				w.until("it has gone", func() bool { return !w.there(id) })
			}
		}
	})
}

func total(counts map[string]uint64) (n uint64) {
	for _, c := range counts {
		n += c
	}
	return n
}

// refusedOf returns what was refused of a client, by cause.
func (w *world) refusedOf(name string) map[string]uint64 {
	w.t.Helper()
	list, err := w.near.RemoteClients(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range list.Clients {
		if c.Name == name {
			return c.Refused
		}
	}
	return nil
}
