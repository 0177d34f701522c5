package main

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"sighub/scripts/lab/wire"
)

// patterns: ports may be named in several ways; the hub does not open a port that is not named.
func patterns(b *bench) {
	a, d := b.device(deviceOptions{name: "light"})
	b.hears([]string{"--serial", "/dev/ttyUSB*"}, a, d, nil)
	b.hears([]string{"--serial", "0403:6001"}, a, d, nil)
	// No udev runs here: make its link by hand, some time after the port appears.
	link := wire.Target{Path: "/dev/serial/by-id/usb-QEMU-if00-port0", Text: "../../ttyUSB0"}
	b.hears([]string{"--serial", "/dev/serial/by-id/*"}, a, d, func() { b.call("link", link, nil) })
	b.call("remove", wire.Target{Path: "/dev/serial"}, nil)

	other := b.adapter()
	from := b.mark()
	b.pluggedIn(other, 1, 1, "ttyUSB0")
	b.hears([]string{"--serial", "/dev/ttyUSB1", "--serial", "/dev/ttyACM*", "--serial", "0403:6001:A10"}, a, d, nil)
	if n := count(b.since(from), opened); n != 0 {
		b.fail("ttyUSB0 was opened, although it was not named")
	}
	b.saw("/dev/ttyUSB*, 0403:6001, /dev/serial/by-id/* as soon as there is one; ttyUSB0 left alone when ttyUSB1 is named")
}

// hears starts a hub with these arguments, plugs the device in, calls then, and waits for readings. At the end it stops the hub and
// pulls the adapter out.
func (b *bench) hears(arguments []string, a *adapter, d *device, then func()) {
	from := b.mark()
	b.serve(wire.Program{Args: arguments})
	b.pluggedIn(a, 0, 1, "")
	if then != nil {
		then()
	}
	b.wait(from, "readings with "+strings.Join(arguments, " "), heard(d.name, countEvent))
	b.unplug(a)
	b.hearsOfPull(from, d)
	b.call("unlisten", wire.Target{Name: listener}, nil)
	b.stopHub()
}

// A portLine has the parts of a line of `sighub ports --output json` that are needed here.
type portLine struct {
	Port    string     `json:"port"`
	State   string     `json:"state"`
	Reason  string     `json:"reason"`
	NextTry *time.Time `json:"next_try"`
	Device  *struct {
		UID      string  `json:"uid"`
		Name     string  `json:"name"`
		Firmware string  `json:"firmware"`
		Trip     float64 `json:"round_trip_ms"`
	} `json:"device"`
	Frames uint64 `json:"frames"`
}

// ports: `sighub ports` shows ports in each state, and --watch the states of one port, one after another.
func ports(b *bench) {
	bad, good := b.two()
	silent := b.adapter()
	from := b.mark()
	b.pluggedIn(silent, 0, 3, "ttyUSB2")
	b.call("chmod", wire.Target{Path: "/dev/ttyUSB0", Mode: 0o666}, nil)
	b.call("chmod", wire.Target{Path: "/dev/ttyUSB2", Mode: 0o666}, nil)
	holder := wire.Target{Name: "holder", Path: "/dev/ttyUSB0", Text: "exclusive"}
	b.hold(holder)
	b.serve(wire.Program{UID: user})
	b.flows(good, 40)

	is := b.askPorts()
	for port, state := range map[string]string{"/dev/ttyUSB0": "failed", "/dev/ttyUSB1": "connected", "/dev/ttyUSB2": "waiting"} {
		if is[port].State != state {
			b.fail("%s is %q, not %s: %+v", port, is[port].State, state, is[port])
		}
	}
	if p := is["/dev/ttyUSB0"]; p.Reason == "" || p.NextTry == nil {
		b.fail("a failed port should say why, and when the next try is: %+v", p)
	}
	p := is["/dev/ttyUSB1"]
	if d := p.Device; d == nil || d.Name != good.name || d.UID == "" || d.Firmware != "1.0" || d.Trip <= 0 || p.Frames == 0 {
		b.fail("something about the device is missing: %+v", p)
	}
	b.saw("failed (%s), connected (%s, round trip %.0f ms), waiting", is["/dev/ttyUSB0"].Reason, p.Device.Name, p.Device.Trip)

	b.call("start", wire.Program{Name: "watch", Args: []string{"/bin/sighub", "ports", "--watch", "--output", "json"}}, nil)
	b.undo("signal", wire.Target{Name: "watch", Signal: sigKill})
	b.watches(from, "/dev/ttyUSB1", "connected")
	from = b.mark()
	b.call("release", holder, nil)
	b.connected(from, bad)
	b.watches(from, "/dev/ttyUSB0", "connected")
	from = b.mark()
	good.stop()
	b.watches(from, "/dev/ttyUSB1", "silent", "waiting")
	b.pulledOut(silent)
	b.saw("watched: failed, connected; connected, silent, waiting")
}

// askPorts runs `sighub ports --output json`, and returns its lines by port.
func (b *bench) askPorts() map[string]portLine {
	var r wire.Reply
	b.call("exec", wire.Program{Args: []string{"/bin/sighub", "ports", "--output", "json"}, UID: user}, &r)
	if r.Code != 0 {
		b.fail("`sighub ports` ended with %d: %s", r.Code, r.Err)
	}
	list := make(map[string]portLine)
	for line := range strings.Lines(r.Text) {
		var p portLine
		b.must(json.Unmarshal([]byte(line), &p))
		list[p.Port] = p
	}
	return list
}

// watches waits until `sighub ports --watch` has printed these states of a port, in this order.
func (b *bench) watches(from mark, port string, states ...string) {
	want := slices.Clone(states)
	b.wait(from, "`sighub ports --watch` to tell that "+port+" is "+strings.Join(states, ", "), func(s wire.Sight) bool {
		var p portLine
		if s.Kind == wire.Log && s.By == "watch" && json.Unmarshal([]byte(s.Text), &p) == nil && p.Port == port && p.State == want[0] {
			want = want[1:]
		}
		return len(want) == 0
	})
}

// consoles: a hub with auto serves only adapters. Each scenario checks at its end that nothing else was opened; in this one there is
// nothing else to open.
func consoles(b *bench) {
	var own []string
	b.call("list", wire.Target{Path: "/dev/tty[SA]*"}, &own)
	if len(own) == 0 {
		b.fail("the machine has no terminals of its own")
	}
	b.startHub(wire.Program{})
	for name, p := range b.askPorts() {
		if p.State != "absent" { // like "auto" itself while nothing is found
			b.fail("%s is a port of the hub: %+v", name, p)
		}
	}
	a, d := b.device(deviceOptions{name: "light"})
	b.listen()
	b.putBack(a, d, 0, 1)
	b.saw("%s", strings.Join(own, ", "))
}

// onlyAdapters checks that only terminals of adapters were opened.
func (b *bench) onlyAdapters() {
	for _, s := range b.since(b.begin) {
		if s.Kind == wire.Opened && !strings.HasPrefix(s.Name, "ttyUSB") {
			b.fail("/dev/%s was opened", s.Name)
		}
	}
}
