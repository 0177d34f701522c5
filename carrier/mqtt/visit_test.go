package mqtt_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"sighub/carrier/mqtt"
	"sighub/hub"
	"sighub/internal/mqtt/packet"
	"sighub/journal"
	"sighub/journal/folder"
	"sighub/listen"
)

// TestShared: several clients publish under the name of one sender, as at a broker. Each message is heard once, in the order of its client, and
// acknowledged in the order of all that the client has sent, whoever has the sender.
func TestShared(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		w := newWorld(t, worldOptions{folder: t.TempDir()})
		device, _ := w.connect(v, hello{id: "device"})
		device.subscribe(1|4*(v&1), "lamp/set") // No Local in MQTT 5: what others publish under its sender is not its own
		device.publish("lamp/state", "0")
		sub, _ := w.connect(v, hello{id: "sub"})
		sub.subscribe(0, "lamp/set")
		a, _ := w.connect(v, hello{id: "a"})
		b, _ := w.connect(v, hello{id: "b"})
		const n = 50
		for i := range uint16(n) {
			for j, p := range []*peer{a, b} {
				p.send(p.publishPacket("lamp/set", fmt.Sprintf("%d %d a", j, i), 3*i+1), p.publishPacket(p.own()+"/x", "1", 3*i+2), p.publishPacket("lamp/set", fmt.Sprintf("%d %d b", j, i), 3*i+3))
			}
		}
		for _, p := range []*peer{a, b} {
			for i := range uint16(3 * n) {
				if r := p.puback(i + 1); r != 0 {
					t.Errorf("PUBACK %02x", r)
				}
			}
		}
		for _, p := range []*peer{device, sub} {
			var next [2]int
			for range 2 * 2 * n {
				g := p.event()
				j := int(g.payload[1] - '0')
				want := fmt.Sprintf(`"%d %d %c"`, j, next[j]/2, 'a'+next[j]%2)
				if g.topic != "lamp/set" || g.payload != want {
					t.Fatalf("heard %v, want %s", g, want)
				}
				next[j]++
			}
		}
		for _, id := range []string{"a", "b", "device"} {
			if refused := w.refusedOf(id); total(refused) > 0 {
				t.Errorf("%s: refused %v", id, refused)
			}
		}
		// The one that has the sender goes: the next one that publishes has it.
		_ = device.Close()
		w.until("it has gone", func() bool { return !w.there("device") })
		for _, p := range []*peer{a, b} {
			if r := p.publish("lamp/set", "9"); r != 0 {
				t.Errorf("PUBACK %02x", r)
			}
			if g := sub.event(); g.payload != "9" {
				t.Errorf("heard %v", g)
			}
		}
	})
}

// own returns a sender of the peer's own.
func (p *peer) own() string { return "own " + p.LocalAddr().String() }

// TestSharedRights: a sender is shared with those who may have it and may trigger the event, and with no others; a refusal is counted once. What
// is asked of a sender, its own client alone is asked.
func TestSharedRights(t *testing.T) {
	login := func(_ context.Context, _ listen.Peer, s listen.Secret) (string, error) { return s.Name, nil }
	w := newWorld(t, worldOptions{Options: mqtt.Options{Login: login}})
	w.router.SetPolicy(rules{"maker": {"add * *", "trigger * *", "listen * *"}, "viewer": {"listen * *", "add lamp *", "trigger lamp set"}})
	device, _ := w.connect(5, hello{id: "device", user: "maker", pass: "x"})
	device.publish("lamp/state", "0")
	guest, _ := w.connect(5, hello{id: "guest", user: "viewer", pass: "x"})
	for text, want := range map[string]packet.Reason{"lamp/set": 0, "lamp/state": packet.NotAuthorized, "other/set": packet.NotAuthorized} {
		if r := guest.publish(text, "1"); r != want {
			t.Errorf("%s: PUBACK %02x, want %02x", text, r, want)
		}
	}
	if refused := w.refusedOf("guest"); refused["denied"] != 2 || total(refused) != 2 {
		t.Errorf("refused %v", refused)
	}
	w.router.SetPolicy(rules{"maker": {"add * *", "trigger * *", "listen * *"}, "viewer": {"listen * *"}})
	if r := guest.publish("lamp/set", "1"); r != packet.NotAuthorized {
		t.Errorf("after a change of the rules: PUBACK %02x", r)
	}
	maker, _ := w.connect(5, hello{id: "maker", user: "maker", pass: "x"})
	if got := maker.subscribe(0, "lamp/_request/+"); packet.Reason(got[0]) != packet.NotAuthorized {
		t.Errorf("SUBACK % x", got)
	}
	if refused := w.refusedOf("maker"); total(refused) != 1 {
		t.Errorf("refused %v", refused)
	}
}

// TestLate: the hub takes longer to say whose a sender is than the client is kept waiting for that. What is published meanwhile is heard once
// it has said so, in its order, and refused if nobody may have it; also of a client that does not wait.
func TestLate(t *testing.T) {
	both(t, func(t *testing.T, v byte) {
		w := newWorld(t, worldOptions{hub: hub.ServerOptions{MaxSenders: 2}})
		device, _ := w.connect(v, hello{id: "device"})
		device.publish("lamp/state", "0")
		sub, _ := w.connect(v, hello{id: "sub"})
		sub.subscribe(0, "lamp/set", "new/x")
		busy, free := make(chan struct{}), make(chan struct{})
		release := sync.OnceFunc(func() { close(free) })
		t.Cleanup(release)
		if _, err := w.router.AddListener("own", "busy", func(hub.Event) { close(busy); <-free }); err != nil {
			t.Fatal(err)
		}
		guest, _ := w.connect(v, hello{id: "guest"})
		guest.send(guest.publishPacket("own/busy", "1", 1))
		select {
		case <-busy: // and what follows waits
		case <-time.After(long):
			t.Fatal("the hub does not tell what was published")
		}
		for i := range uint16(3) {
			guest.send(guest.publishPacket("lamp/set", fmt.Sprint(i), 2+2*i), guest.publishPacket("new/x", fmt.Sprint(i), 3+2*i))
		}
		guest.ping2() // it was read
		if v == 5 {
			guest.send(guest.publishPacket("third/x", "1", 8), guest.publishPacket("new/x", "3", 9))
			guest.ping2()
		} else {
			guest.send(frame(packet.Disconnect, 0, nil))
		}
		release()
		next, left := map[string]int{}, 6
		if v == 5 {
			left++
		}
		for range left {
			g := sub.event()
			if g.payload != fmt.Sprint(next[g.topic]) {
				t.Errorf("heard %v, want %d", g, next[g.topic])
			}
			next[g.topic]++
		}
		if v != 5 {
			return
		}
		for id := range uint16(9) {
			want := packet.Reason(0)
			if id+1 == 8 {
				want = packet.QuotaExceeded
			}
			if r := guest.puback(id + 1); r != want {
				t.Errorf("PUBACK %02x of %d, want %02x", r, id+1, want)
			}
		}
		if refused := w.refusedOf("guest"); total(refused) != 1 {
			t.Errorf("refused %v", refused)
		}
		if r := guest.publish("new/x", "4"); r != 0 {
			t.Errorf("PUBACK %02x", r)
		}
		if g := sub.event(); g.topic != "new/x" || g.payload != "4" {
			t.Errorf("heard %v", g)
		}
	})
}

// TestHostGoes: a message for a sender whose client goes at that moment has happened or is refused, and not both: whoever is refused sends it
// again. Each is answered.
func TestHostGoes(t *testing.T) {
	j, err := journal.OpenFolder(slowDisk{folder.Directory(t.TempDir())}, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, worldOptions{journal: j})
	sub, _ := w.connect(5, hello{id: "sub"})
	sub.subscribe(0, "lamp/set")
	sub.subscribe(0, "mark/n")
	guest, _ := w.connect(5, hello{id: "guest"})
	const n = 30
	for i := range uint16(20) {
		host, _ := w.connect(5, hello{id: "host"})
		host.publish("lamp/state", "0")
		var burst []byte
		for k := range uint16(n) {
			burst = append(burst, guest.publishPacket("lamp/set", fmt.Sprint(i), i*n+k+1)...)
		}
		guest.send(burst)
		heard := 0
		if i%2 == 0 { // it goes when the first message has happened; else as they arrive
			sub.event()
			heard++
		}
		_ = host.Close()
		want := 0
		for k := range uint16(n) {
			if guest.puback(i*n+k+1) == 0 {
				want++
			}
		}
		guest.publish("mark/n", fmt.Sprint(i))
		for g := sub.event(); g.topic != "mark/n"; g = sub.event() {
			heard++
		}
		if heard != want {
			t.Errorf("of %d messages, %d are acknowledged, and %d heard", n, want, heard)
		}
		w.until("it has gone", func() bool { return !w.there("host") })
	}
}

// A slowDisk takes its time to sync, so that answers come some time after what they are for has happened.
type slowDisk struct{ folder.Folder }

func (d slowDisk) Create(name string) (folder.File, error) { return slow(d.Folder.Create(name)) }
func (d slowDisk) Open(name string) (folder.File, error)   { return slow(d.Folder.Open(name)) }

type slowFile struct{ folder.File }

func slow(f folder.File, err error) (folder.File, error) {
	if err != nil {
		return nil, err
	}
	return slowFile{f}, nil
}

func (f slowFile) Sync() error {
	time.Sleep(10 * time.Millisecond)
	return f.File.Sync()
}
