package board_test

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/local"
	"sighub/hub"
	"sighub/hub/verb"
	"sighub/listen"
)

func (h *house) add(name string, o hub.SenderOptions) *hub.Sender {
	h.t.Helper()
	s, err := h.router.AddSender(name, o)
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

func trigger(t *testing.T, s *hub.Sender, event string, data any, at time.Time) {
	t.Helper()
	g, err := s.Signal(event)
	if err == nil {
		err = g.TriggerAt(t.Context(), data, at, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
}

var temp = hub.SenderOptions{Events: []string{"temp"}, Units: map[string]string{"temp": "Cel"}}

// TestHome: a Home Assistant that is connected to the hub itself finds what there is, is told states, none of them older than one before,
// and presses buttons.
func TestHome(t *testing.T) {
	h := newHouse(t, houseOptions{folder: t.TempDir(), own: []string{"cpu"}})
	pressed := make(chan string, 1)
	o := hub.SenderOptions{Events: []string{"temp", "mark"}, Units: map[string]string{"temp": "Cel", "mark": "%RH"}}
	o.Requests = map[string]hub.RequestHandler{"reset": func(_ context.Context, _ string, params carrier.Value) (any, error) {
		pressed <- params.String()
		return nil, nil
	}}
	cpu := h.add("cpu", o)
	a := h.visit(nil, "", "homeassistant/+/+/config", "_now/cpu/temp", "_now/cpu/mark", "_now/_state", "_now/cpu/_state")
	a.expect("Barn button--cpu--request--reset", "Barn sensor--cpu--mark", "Barn sensor--cpu--temp")
	text := a.has["homeassistant/device/sighub_h1/config"]
	for _, want := range []string{
		`"state_topic":"_now/cpu/temp"`, `"availability":[{"topic":"_now/_state",`, `{"topic":"_now/cpu/_state",`, `"availability_mode":"all"`,
		`"command_topic":"cpu/_request/reset"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
	now := time.Now()
	trigger(t, cpu, "temp", 20, now)
	a.until("the state is told", func() bool {
		return a.has["_now/cpu/temp"] == "20" && strings.Contains(a.has["_now/cpu/_state"], "true")
	})
	mark := func(n int) { // a state changes no more often than it may, so what was heard before the first is told before the second
		for i := range 2 {
			trigger(t, cpu, "mark", n+i, time.Now())
			a.until("what comes behind it is told", func() bool { return a.has["_now/cpu/mark"] == strconv.Itoa(n+i) })
		}
	}
	trigger(t, cpu, "temp", 10, now.Add(-time.Hour)) // it comes late
	mark(1)
	trigger(t, cpu, "temp", 21, now.Add(time.Millisecond))
	a.until("the next one is told", func() bool { return a.has["_now/cpu/temp"] == "21" })
	trigger(t, cpu, "temp", 11, now.Add(-time.Minute))
	mark(3)
	b := h.visit(nil, "", "_now/#")
	b.until("the newest is there", func() bool { return b.has["_now/cpu/temp"] != "" && b.has["_now/_state"] != "" })
	if b.has["_now/cpu/temp"] != "21" || slices.Contains(a.said, "_now/cpu/temp 10") {
		t.Errorf("told %q, and %q", a.said, b.said)
	}
	a.publish("cpu/_request/reset", "null")
	if got := <-pressed; got != "null" {
		t.Errorf("pressed with %s", got)
	}
	before := len(a.said)
	a.publish("homeassistant/status", "online")
	a.until("everything is told again", func() bool { return slices.Contains(a.said[before:], "homeassistant/device/sighub_h1/config "+text) })
	if refused := h.refused("ha-"); len(refused) > 0 {
		t.Errorf("refused %v", refused)
	}
	cpu.RemoveBecause("unplugged")
	a.until("it is not available", func() bool { return strings.Contains(a.has["_now/cpu/_state"], "false") })
}

// uids gives the clients of a carrier a uid, as devices on serial lines have one.
type uids struct {
	*local.Hub
	uid string
}

func (u uids) Serve(ctx context.Context, h carrier.Handler) error {
	return u.Hub.Serve(ctx, uidHandler{h, u.uid})
}

type uidHandler struct {
	carrier.Handler
	uid string
}

func (h uidHandler) ClientConnected(c carrier.Client) {
	c.UID, c.Signals = h.uid, nil
	h.Handler.ClientConnected(c)
}

// plug runs a device until the returned function is called.
func plug(t *testing.T, at *local.Hub, name string, senders ...string) (unplug func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := hub.NewClientRouter(hub.ClientOptions{})
	served := make(chan error, 1)
	go func() { served <- r.Serve(ctx, at.NewPeer(name)) }()
	for _, sender := range senders {
		if _, err := r.AddRemoteSender(ctx, sender, temp); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}
}

// TestNoGhosts: what is renamed, is removed, or is not configured any more leaves nothing behind, whoever was away meanwhile: the hub, or
// Home Assistant.
func TestNoGhosts(t *testing.T) {
	var later atomic.Int64
	o := houseOptions{folder: t.TempDir(), journal: t.TempDir(), own: []string{"cpu", "disk"}, later: &later}
	all := []string{"homeassistant/#", "_now/#"}
	board, attic := local.NewHub(local.Options{}), local.NewHub(local.Options{})
	h := newHouse(t, o, uids{board, "01"}, uids{attic, "02"})
	h.add("cpu", temp)
	h.add("disk", temp)
	unplug := plug(t, board, "greenhouse", "air")
	unplugAttic := plug(t, attic, "attic", "roof")
	a := h.visit(nil, "", all...)
	a.expect("Barn sensor--cpu--temp", "Barn sensor--disk--temp", "attic sensor--roof--temp", "greenhouse sensor--air--temp")
	unplugAttic()

	// The device has another name, and its sender, too.
	unplug()
	unplug = plug(t, board, "glasshouse", "sky")
	a.expect("Barn sensor--cpu--temp", "Barn sensor--disk--temp", "attic sensor--roof--temp", "glasshouse sensor--air--temp", "glasshouse sensor--sky--temp")
	later.Add(int64(11 * time.Second))
	extra := h.add("extra", temp) // any change will do
	a.expect("Barn sensor--cpu--temp", "Barn sensor--disk--temp", "Barn sensor--extra--temp", "attic sensor--roof--temp", "glasshouse sensor--sky--temp")
	a.until("its topics are cleared", func() bool { return a.has["_now/air/_state"] == "" })

	// A sender is removed.
	extra.Remove()
	a.until("it has gone", func() bool { return strings.Contains(a.has["_now/extra/_state"], "false") })
	later.Add(int64(11 * time.Second))
	h.add("more", temp)
	a.expect("Barn sensor--cpu--temp", "Barn sensor--disk--temp", "Barn sensor--more--temp", "attic sensor--roof--temp", "glasshouse sensor--sky--temp")
	unplug()

	// The hub starts again, with another configuration; Home Assistant has what it was told.
	h.end()
	o.own = []string{"cpu"}
	board, attic = local.NewHub(local.Options{}), local.NewHub(local.Options{})
	h = newHouse(t, o, uids{board, "01"}, uids{attic, "02"})
	h.add("cpu", temp)
	a = h.visit(a, "", all...)
	a.until("it is told again", func() bool {
		return slices.ContainsFunc(a.said, func(said string) bool { return strings.HasPrefix(said, "homeassistant/device/sighub_h1/config {") })
	})
	later.Add(int64(11 * time.Second))
	one := h.add("one", temp)
	a.expect("Barn sensor--cpu--temp", "Barn sensor--one--temp", "attic sensor--roof--temp", "glasshouse sensor--sky--temp")

	// The attic is forgotten while Home Assistant is away, and the hub starts once more.
	_ = a.conn.Close()
	other := h.visit(nil, "", all...)
	unplug = plug(t, board, "glasshouse", "sky")
	other.until("it is there", func() bool { return strings.Contains(other.has["_now/sky/_state"], "true") })
	later.Add(int64(31 * 24 * time.Hour))
	one.Remove()
	h.add("two", temp)
	other.expect("Barn sensor--cpu--temp", "Barn sensor--one--temp", "Barn sensor--two--temp", "glasshouse sensor--sky--temp")
	again := h.visit(a, "", all...)
	again.expect("Barn sensor--cpu--temp", "Barn sensor--one--temp", "Barn sensor--two--temp", "glasshouse sensor--sky--temp")
	unplug()
	h.end()
	h = newHouse(t, o)
	h.add("cpu", temp)
	again = h.visit(a, "", all...) // that one was not there
	again.until("the attic is gone", func() bool {
		return !slices.Contains(again.parts(), "attic sensor--roof--temp") && again.has["_now/_state"] != ""
	})
}

// rules say who may hear senders, and ask them, by the beginnings of names.
type rules map[string][2]string

func (r rules) May(identity string, v verb.Verb, sender, name string) (ok bool, rule string) {
	begins, known := r[identity]
	switch {
	case !known:
		return false, ""
	case v == verb.Listen:
		return sender == "" || strings.HasPrefix(sender, begins[0]), "listen"
	case v == verb.Request:
		return sender == "" || strings.HasPrefix(sender, begins[1]), "request"
	}
	return false, ""
}

func (r rules) Class(identity string) uint16 { return uint16(len(identity)) }

func (r rules) Hears(sender, event string) []uint64 {
	bits := uint64(0)
	for identity := range r {
		if ok, _ := r.May(identity, verb.Listen, sender, event); ok {
			bits |= 1 << len(identity)
		}
	}
	return []uint64{bits}
}

// TestRights: nobody learns of a sender that they may not hear, also when the rules change.
func TestRights(t *testing.T) {
	login := func(_ context.Context, _ listen.Peer, s listen.Secret) (string, error) {
		if s.Name == "" {
			return "", errors.New("who is it?")
		}
		return s.Name, nil
	}
	h := newHouse(t, houseOptions{folder: t.TempDir(), own: []string{"red", "green"}, login: login, policy: rules{"a": {"g", "none"}, "bb": {"", ""}}})
	o := temp
	o.Requests = map[string]hub.RequestHandler{"reset": func(context.Context, string, carrier.Value) (any, error) { return nil, nil }}
	red := h.add("red", o)
	h.add("green", o)
	a, b := h.visit(nil, "a", "homeassistant/#", "_now/#"), h.visit(nil, "bb", "homeassistant/#", "_now/#")
	b.expect("Barn button--green--request--reset", "Barn button--red--request--reset", "Barn sensor--green--temp", "Barn sensor--red--temp")
	trigger(t, red, "temp", 1, time.Now())
	b.until("red is told", func() bool { return b.has["_now/red/temp"] == "1" })
	a.expect("Barn sensor--green--temp")

	h.setPolicy(rules{"a": {"", "green"}, "bb": {"g", ""}})
	b.expect("Barn button--green--request--reset", "Barn button--red--request--reset", "Barn sensor--green--temp") // it may ask, and not hear
	b.until("what red said is cleared", func() bool { return b.has["_now/red/temp"] == "" })
	told := strings.Join(a.said, "\n")
	if strings.Contains(told, "red") {
		t.Errorf("a was told of red: %s", told)
	}
	a.expect("Barn button--green--request--reset", "Barn sensor--green--temp", "Barn sensor--red--temp")

	red.RemoveBecause("unplugged") // it is remembered
	a.until("red is away", func() bool { return strings.Contains(a.has["_now/red/_state"], "false") })
	h.setPolicy(rules{"a": {"g", "none"}, "bb": {"", ""}})
	a.expect("Barn sensor--green--temp")
	late := h.visit(nil, "a", "homeassistant/#", "_now/#")
	late.expect("Barn sensor--green--temp")
	for _, said := range late.said {
		if strings.Contains(said, "red") && !strings.HasSuffix(said, " ") {
			for line := range strings.SplitSeq(said, ",") {
				if strings.Contains(line, "red") && !strings.Contains(line, `:{"platform":"`) {
					t.Errorf("told of red: %s", line)
				}
			}
		}
	}
	h.visit(nil, "ccc", "_now/#")
	h.wait("it is refused", func() bool { return h.refused("ha-ccc")["denied"] == 1 })
}

// refused returns what was refused of a client whose name begins so.
func (h *house) refused(name string) map[string]uint64 {
	h.t.Helper()
	list, err := h.near.RemoteClients(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	for _, c := range list.Clients {
		if strings.HasPrefix(c.Name, name) && len(c.Refused) > 0 {
			return c.Refused
		}
	}
	return nil
}

func (h *house) wait(what string, cond func() bool) {
	h.t.Helper()
	for end := time.Now().Add(long); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("it does not happen that %s", what)
		}
	}
}

// TestIdle: where nobody asks for what is announced, nothing is done for it.
func TestIdle(t *testing.T) {
	h := newHouse(t, houseOptions{})
	s := h.add("cpu", temp)
	a := h.visit(nil, "", "#")
	a.until("it listens", func() bool { return a.has["cpu/_state"] != "" })
	trigger(t, s, "temp", 1, time.Now())
	a.until("it is heard", func() bool { return a.has["cpu/temp"] == "1" })
	for _, c := range h.router.Clients() {
		if c.Name == "homeassistant" {
			t.Errorf("there is %v", c)
		}
	}
}

// TestManyIdentities: there are shelves for some identities at a time, and those that nobody looks at make room.
func TestManyIdentities(t *testing.T) {
	h := newHouse(t, houseOptions{folder: t.TempDir()})
	var leave []func()
	for i := range 20 {
		_, left, err := h.board.Shelf(strings.Repeat("x", i), func() {})
		if (err != nil) != (i >= 16) || i >= 16 && !errors.Is(err, carrier.ErrLimit) {
			t.Errorf("%d: %v", i, err)
		}
		if err == nil {
			leave = append(leave, left)
		}
	}
	leave[3]()
	if _, left, err := h.board.Shelf("y", func() {}); err != nil {
		t.Error(err)
	} else {
		left()
	}
}

// TestMosquitto: Debian's mosquitto_sub finds what is announced, by both versions.
func TestMosquitto(t *testing.T) {
	h := newHouse(t, houseOptions{folder: t.TempDir()})
	trigger(t, h.add("cpu", temp), "temp", 20, time.Now())
	host, port, err := net.SplitHostPort(h.addr)
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"mqttv311", "mqttv5"} {
		ctx, cancel := context.WithTimeout(t.Context(), long)
		defer cancel()
		out, err := exec.CommandContext(ctx, "mosquitto_sub", "-h", host, "-p", port, "-V", version, "-t", "homeassistant/+/+/config", "-C", "1",
			"-F", "%t %p").CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), "homeassistant/device/sighub_h1/config {") || !strings.Contains(string(out), "_now/cpu/temp") {
			t.Errorf("%v: %s", err, out)
		}
	}
}
