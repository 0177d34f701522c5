package board_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sighub/carrier"
	"sighub/carrier/local"
	"sighub/carrier/mqtt"
	"sighub/homeassistant"
	"sighub/homeassistant/board"
	"sighub/hub"
	"sighub/hub/verb"
	"sighub/internal/mqtt/packet"
	"sighub/journal"
	"sighub/listen"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const long = time.Minute

// A house is a hub with a board and an MQTT port.
type house struct {
	t      *testing.T
	board  *board.Board
	router *hub.ServerRouter
	near   *hub.ClientRouter // that looks
	addr   string
	end    func()
}

type houseOptions struct {
	folder  string // of what is remembered
	journal string // empty: none
	own     []string
	login   listen.Login
	policy  verb.Policy
	later   *atomic.Int64 // how far the announcer's clock is ahead
}

func newHouse(t *testing.T, o houseOptions, devices ...carrier.Carrier) *house {
	t.Helper()
	log := slog.New(slog.NewTextHandler(testLog{t}, nil))
	below, err := listen.Open(listen.Options{Addresses: []listen.Address{{At: "tcp://127.0.0.1:0"}}, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	announcer := homeassistant.AnnouncerOptions{Plan: homeassistant.Plan{Hub: homeassistant.Hub{Name: "Barn", Version: "1"}}}
	if o.later != nil {
		announcer.Now = func() time.Time { return time.Now().Add(time.Duration(o.later.Load())) }
	}
	b := board.New(board.Options{
		Announcer: announcer, Every: time.Millisecond, Logger: log,
		Place: func() (string, string, error) {
			if o.folder == "" {
				t.Error("somebody has asked")
			}
			return "h1", o.folder, nil
		},
	})
	so := hub.ServerOptions{Options: hub.Options{Logger: log}}
	if o.journal != "" {
		if so.Journal, err = journal.Open(o.journal, journal.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	h := &house{t: t, board: b, router: hub.NewServerRouter(so), addr: strings.TrimPrefix(below.Addrs()[0], "tcp://")}
	if o.policy != nil {
		h.setPolicy(o.policy)
	}
	b.Ready(append([]string{}, o.own...), o.journal != "")
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 3)
	near := local.NewHub(local.Options{Identity: carrier.OwnIdentity})
	h.near = hub.NewClientRouter(hub.ClientOptions{})
	go func() { served <- h.near.Serve(ctx, near.NewPeer("near")) }()
	inner, stopBelow := context.WithCancel(context.Background())
	carriers := append([]carrier.Carrier{mqtt.On(below, mqtt.Options{Login: o.login, Shelf: b, Logger: log}), b, near}, devices...)
	go func() { served <- h.router.Serve(ctx, carriers...) }()
	go func() { served <- below.Serve(inner) }()
	h.end = func() {
		if ctx.Err() != nil {
			return
		}
		stop()
		stopBelow()
		for range 3 {
			if err := <-served; err != nil {
				t.Errorf("Serve: %v", err)
			}
		}
	}
	t.Cleanup(h.end)
	return h
}

func (h *house) setPolicy(p verb.Policy) {
	h.router.SetPolicy(p)
	h.board.SetPolicy(p)
}

type testLog struct{ t *testing.T }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Logf("%s", b)
	return len(b), nil
}

// visits tells clients apart.
var visits atomic.Int64

// A home is a Home Assistant: it believes what it is told.
type home struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
	has  map[string]string // what it was told last, by topic
	said []string          // what it was told, in order
}

// visit connects a Home Assistant that has what another one was told.
func (h *house) visit(before *home, user string, filters ...string) *home {
	h.t.Helper()
	conn, err := net.Dial("tcp", h.addr)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = conn.Close() })
	a := &home{t: h.t, conn: conn, r: bufio.NewReader(conn), has: make(map[string]string)}
	if before != nil {
		maps.Copy(a.has, before.has)
	}
	body := append(packet.AppendText(nil, "MQTT"), 4, 0xC2, 0, 0)
	a.send(packet.Connect, 0, packet.AppendText(packet.AppendText(packet.AppendText(body, fmt.Sprint("ha-", user, visits.Add(1))), user), "x"))
	body = []byte{0, 1}
	for _, f := range filters {
		body = append(packet.AppendText(body, f), 1)
	}
	a.send(packet.Subscribe, 2, body)
	return a
}

func (a *home) send(t packet.Type, flags byte, body []byte) {
	a.t.Helper()
	if _, err := a.conn.Write(append(packet.AppendVarint([]byte{byte(t)<<4 | flags}, len(body)), body...)); err != nil {
		a.t.Fatal(err)
	}
}

func (a *home) publish(topic, payload string) {
	a.t.Helper()
	h := packet.Head{Version: 4, Topic: []byte(topic)}
	if _, err := a.conn.Write(h.Append(nil, []byte(payload))); err != nil {
		a.t.Fatal(err)
	}
}

// until reads what is told until something is so.
func (a *home) until(what string, cond func() bool) {
	a.t.Helper()
	end := time.Now().Add(long)
	for !cond() {
		_ = a.conn.SetReadDeadline(end)
		p, err := a.next()
		if err != nil {
			a.t.Fatalf("it does not happen that %s: %v; told: %q", what, err, a.said)
		}
		if p.Type != packet.Publish {
			continue
		}
		var in packet.PublishPacket
		if err := packet.ParsePublish(4, p.Flags, p.Body, &in); err != nil {
			a.t.Fatal(err)
		}
		a.has[string(in.Topic)] = string(in.Payload)
		a.said = append(a.said, string(in.Topic)+" "+string(in.Payload))
		if len(in.Payload) == 0 {
			delete(a.has, string(in.Topic))
		}
	}
}

func (a *home) next() (packet.Raw, error) {
	for size := 2; ; size++ {
		head, err := a.r.Peek(size)
		if err != nil {
			return packet.Raw{}, err
		}
		if head[size-1] >= 0x80 {
			continue
		}
		n := 0
		for i, b := range head[1:] {
			n |= int(b&0x7f) << (7 * i)
		}
		whole := make([]byte, size+n)
		for read := 0; read < len(whole); {
			more, err := a.r.Read(whole[read:])
			if err != nil {
				return packet.Raw{}, err
			}
			read += more
		}
		p, _, _, _, err := packet.Next(whole, 1<<20)
		return p, err
	}
}

// parts returns the entities that there are, by the names of their devices.
func (a *home) parts() (list []string) {
	for topic, data := range a.has {
		if !strings.HasPrefix(topic, "homeassistant/device/") {
			continue
		}
		var o struct {
			Device     struct{ Name string }
			Components map[string]map[string]any
		}
		if err := json.Unmarshal([]byte(data), &o); err != nil {
			a.t.Fatal(err)
		}
		for key, c := range o.Components {
			if len(c) > 1 && key != "binary_sensor--hub" {
				list = append(list, o.Device.Name+" "+key)
			}
		}
	}
	slices.Sort(list)
	return list
}

func (a *home) expect(want ...string) {
	a.t.Helper()
	a.until(fmt.Sprintf("there is %q, but %q", want, a.parts()), func() bool { return slices.Equal(a.parts(), want) })
}
