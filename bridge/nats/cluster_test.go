package nats_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"sighub/bridge/nats"
	"sighub/hub"
)

// A cluster is three nats-servers, each of which has a replica of the stream.
type cluster struct {
	t       testing.TB
	servers [3]*broker
}

func newCluster(t *testing.T) *cluster {
	c := &cluster{t: t}
	var routes []string
	for range c.servers {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		routes = append(routes, "nats://"+l.Addr().String())
		defer l.Close()
	}
	for i := range c.servers {
		c.servers[i] = brokerToStart(t)
		c.servers[i].more = fmt.Sprintf("server_name: n%d\ncluster {name: c, listen: %q, routes: [%s]}", i, routes[i][len("nats://"):], strings.Join(routes, ", "))
	}
	return c
}

func (c *cluster) start() {
	for _, b := range c.servers {
		b.start()
	}
}

func (c *cluster) url() string {
	var list []string
	for _, b := range c.servers {
		list = append(list, b.url())
	}
	return strings.Join(list, ",")
}

// leader returns the server through which the stream is written, as soon as there is one.
func (c *cluster) leader(js jetstream.JetStream) (leader *broker) {
	c.t.Helper()
	until(c.t, "the stream has a leader", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		st, err := js.Stream(ctx, "sighub")
		if err != nil {
			return false
		}
		name, ok := strings.CutPrefix(st.CachedInfo().Cluster.Leader, "n")
		if i, err := strconv.Atoi(name); ok && err == nil {
			leader = c.servers[i]
		}
		return leader != nil && leader.run != nil
	})
	return leader
}

// leadersKilled is how often TestCluster kills a leader; SIGHUB_TEST_LEADERS says another number. Each time, the others need some seconds.
func leadersKilled(t *testing.T) int {
	n, err := strconv.Atoi(cmp.Or(os.Getenv("SIGHUB_TEST_LEADERS"), "1"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A chatter reports numbers of its senders until it is ended.
type chatter struct {
	*house
	stop chan struct{}
	n    chan int // how many numbers it has reported
}

func chat(h *house) *chatter {
	c := &chatter{h, make(chan struct{}), make(chan int)}
	var senders []*hub.Sender
	for i := range childSenders {
		senders = append(senders, h.sender(fmt.Sprint("s", i), hub.SenderOptions{Events: []string{"n"}}))
	}
	go func() {
		n := 0
		defer func() { c.n <- childSenders * n }()
		for tick := time.Tick(20 * time.Millisecond); ; <-tick {
			for _, s := range senders {
				h.report(s, "n", n+1, 10)
			}
			n += 10
			select {
			case <-c.stop:
				return
			default:
			}
		}
	}()
	return c
}

// end returns how many numbers were reported, when all are in the stream.
func (c *chatter) end() int {
	close(c.stop)
	n := <-c.n
	c.drained()
	return n
}

// TestCluster: the server that writes the stream is killed at random, while two hubs send, one of which has what happens now go first. Each event is
// in the stream once, and those of a sender, or of a subject, in order.
func TestCluster(t *testing.T) {
	c := newCluster(t)
	c.start()
	o := nats.Options{URL: c.url(), Hub: "kitchen", Stream: nats.Stream{Replicas: len(c.servers)}}
	strict := chat(openHouse(t, t.TempDir(), o))
	o.Hub, o.Live = "shed", true
	live := chat(openHouse(t, t.TempDir(), o))
	conn, err := natsgo.Connect(c.url(), natsgo.MaxReconnects(-1), natsgo.ReconnectWait(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // it need not be secret
	progress := func() {
		t.Helper()
		one, two := strict.bridge.Status().Sent, live.bridge.Status().Sent
		until(t, "something goes up", func() bool { return strict.bridge.Status().Sent > one+500 && live.bridge.Status().Sent > two+500 })
	}
	for range leadersKilled(t) {
		progress()
		time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
		b := c.leader(js)
		b.kill()
		time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
		b.start()
	}
	progress()
	n, m := strict.end(), live.end()
	b := c.leader(js)
	st, err := js.Stream(t.Context(), "sighub")
	if err != nil {
		t.Fatal(err)
	}
	if state := st.CachedInfo().State; state.LastSeq-state.FirstSeq+1 != state.Msgs {
		t.Errorf("numbers are missing in the stream, which hubs that hear take for removed messages: %+v", state)
	}
	if got := completeRows(t, b.read("sighub.kitchen.>")); got != n {
		t.Errorf("%d events are there, of %d", got, n)
	}
	all := lanesOf(t, b.read("sighub.shed.>"))
	if got := all.complete(childSenders); got != m {
		t.Errorf("%d events are there of the one that is live, of %d", got, m)
	}
	t.Logf("%d events, and %d of the one that is live, of which %d were late", n, m, all.late)
}
