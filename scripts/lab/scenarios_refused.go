package main

import (
	"slices"
	"strings"

	"sighub/scripts/lab/wire"
)

// user is a user without any rights: not root, and in no group.
const user = 1000

// refused starts a hub that cannot open its first port. The device on another port is served. The hub logs once what is wrong with
// the first port, in one line with these words and at least one of those that help.
func (b *bench) refused(p wire.Program, first, words string, good *device, helps ...string) {
	from := b.mark()
	b.serve(p)
	line := b.wait(from, "a line about "+first, logged(first, words))
	b.wait(from, "readings of the other device", heard(good.name, countEvent))
	b.flows(good, 60) // 3 s: long enough for another try
	if n := count(b.since(from), func(s wire.Sight) bool {
		return logged(first, "level=WARN")(s) || logged(first, "level=ERROR")(s)
	}); n != 1 {
		b.fail("%s is logged in %d lines, not one", first, n)
	}
	if !slices.ContainsFunc(helps, func(word string) bool { return strings.Contains(line.Text, word) }) {
		b.fail("this line names no remedy: %s", line.Text)
	}
	b.each(from, good)
	_, text, _ := strings.Cut(line.Text, "msg=")
	b.saw("told once: %s", text)
}

// two plugs in two devices before the hub runs: bad on ttyUSB0, and good on ttyUSB1, which every user may open.
func (b *bench) two() (bad, good *device) {
	a1, bad := b.device(deviceOptions{name: "bad"})
	a2, good := b.device(deviceOptions{name: "good"})
	b.pluggedIn(a1, 0, 1, "ttyUSB0")
	b.pluggedIn(a2, 0, 2, "ttyUSB1")
	b.call("chmod", wire.Target{Path: "/dev/ttyUSB1", Mode: 0o666}, nil)
	return bad, good
}

func permission(b *bench) {
	bad, good := b.two()
	b.refused(wire.Program{UID: user}, "/dev/ttyUSB0", "permission denied", good, "group", "udev", "chmod")
	granted := b.mark()
	b.call("chmod", wire.Target{Path: "/dev/ttyUSB0", Mode: 0o666}, nil)
	b.connected(granted, bad)
	b.saw("then allowed, and connected")
}

func busy(b *bench)   { b.held("exclusive", user) }
func locked(b *bench) { b.held("locked", 0) }

// held: another program uses the port, and then stops using it.
func (b *bench) held(how string, uid uint32) {
	bad, good := b.two()
	b.call("chmod", wire.Target{Path: "/dev/ttyUSB0", Mode: 0o666}, nil)
	holder := wire.Target{Name: how, Path: "/dev/ttyUSB0", Text: how}
	b.hold(holder)
	b.refused(wire.Program{UID: uid}, "/dev/ttyUSB0", "busy", good, "close", "another program")
	released := b.mark()
	b.call("release", holder, nil)
	b.connected(released, bad)
	b.saw("then free, and connected")
}

func notTerminal(b *bench) {
	_, good := b.two()
	file := wire.Target{Path: "/tmp/file", Text: "no port"}
	b.call("write", file, nil)
	b.undo("remove", file)
	p := wire.Program{Args: []string{"--serial", file.Path, "--serial", "/dev/ttyUSB1"}}
	b.refused(p, file.Path, "not a", good, "give the path", "serial port")
}
