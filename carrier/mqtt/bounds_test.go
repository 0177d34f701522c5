package mqtt_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/mqtt"
	"sighub/internal/mqtt/packet"
	"sighub/listen"
)

// TestStrangers: who has not said a CONNECT costs little, for a short time, and is counted.
func TestStrangers(t *testing.T) {
	t.Parallel() // it takes as long as strangers have
	w := newWorld(t, worldOptions{strange: listen.Options{StrangerTime: 2 * time.Second, StrangerBytes: 2000, Strict: true}})
	known, _ := w.connect(5, hello{id: "known"})
	var strangers []*peer
	for _, say := range []string{"\x10", "\x10\x20\x00\x04MQTT", "\x10\xff\x7f\x00\x04MQTT\x04\x02\x00\x00\x7f\x00" + strings.Repeat("x", 5000)} {
		p := w.dial(4)
		_, _ = p.Write([]byte(say)) // it may be closed meanwhile
		strangers = append(strangers, p)
	}
	for _, p := range strangers {
		p.closed()
	}
	known.ping() // it came before them: the time of a stranger would be over for it, too
	w.until("they are counted", func() bool { return w.server.Refused()["timeout"] > 0 })
}

// TestAccount: what clients make the hub hold is charged, and given back when they have gone.
func TestAccount(t *testing.T) {
	budget := carrier.NewBudget(4 << 20)
	w := newWorld(t, worldOptions{Options: mqtt.Options{Budget: budget, Limits: mqtt.Limits{MaxMessage: 600 << 10}}})
	before := budget.Used()
	sub, _ := w.connect(5, kept("sub", 5))
	sub.subscribe(1, "pump/+", "_answer/x", "sub/_request/+", "+/n", "$SYS/#")
	large := strings.Repeat("x", 300<<10)
	pub, _ := w.connect(4, hello{id: "pub"})
	for i := range 20 {
		pub.publish(fmt.Sprintf("pump/n%d", i), "1")
	}
	pub.publish("pump/large", large)
	half := pub.publishPacket("pump/large", large, 2)
	pub.send(half[:len(half)/2])
	if budget.Used() == before {
		t.Error("nothing is charged")
	}
	_ = sub.Close()
	w.until("the client has gone", func() bool { return w.server.Away() == 1 })
	_ = pub.Close()
	again, _ := w.connect(5, hello{id: "sub"})
	again.ping()
	_ = again.Close()
	w.until("everything is given back", func() bool { return budget.Used() == before })
	// more than one client may have
	greedy, _ := w.connect(5, hello{id: "greedy"})
	for i := 0; ; i++ {
		got := greedy.subscribe(0, fmt.Sprintf("%d%s/x", i, strings.Repeat("y", 200)))
		if packet.Reason(got[0]) == packet.QuotaExceeded {
			break
		}
		if i > 5000 {
			t.Fatal("there is no end")
		}
	}
	greedy.ping()
}

// TestUnread: a client that asks and does not read is not read from, and takes little memory.
func TestUnread(t *testing.T) {
	budget := carrier.NewBudget(8 << 20)
	w := newWorld(t, worldOptions{Options: mqtt.Options{Budget: budget, Limits: mqtt.Limits{WriteTimeout: 300 * time.Millisecond}}})
	p, _ := w.connect(5, hello{id: "deaf"})
	_ = p.SetWriteDeadline(time.Now().Add(long))
	pings := bytes.Repeat([]byte{0xC0, 0}, 64<<10)
	for {
		if _, err := p.Write(pings); err != nil {
			break // it was closed, since it reads nothing
		}
	}
	ok, _ := w.connect(5, hello{id: "other"})
	ok.ping()
}
