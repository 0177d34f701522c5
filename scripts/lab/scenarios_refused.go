package main

import (
	"slices"
	"strings"

	"sighub/scripts/lab/wire"
)

// user is a user without any rights: not root, and in no group.
const user = 1000

// besides is the common part of all scenarios with a port that cannot be opened. The device on another port is served. The hub logs
// once what is wrong with the first port, in one line with these words and those of one remedy.
type besides struct {
	good  *device
	from  mark
	first string   // the port that cannot be opened
	words []string // must be in the line
	helps []string // one of which must be in it
}

func (b *bench) tells(r besides) {
	line := b.wait(r.from, "a line about "+r.first, logged(append([]string{r.first}, r.words...)...))
	b.wait(r.from, "readings of the other device", heard(r.good.name, countEvent))
	b.flows(r.good, 60) // 3 s: long enough for another try
	if n := count(b.since(r.from), func(s wire.Sight) bool {
		return logged(r.first)(s) && (strings.Contains(s.Text, "level=WARN") || strings.Contains(s.Text, "level=ERROR"))
	}); n != 1 {
		b.fail("%s is logged in %d lines, not one", r.first, n)
	}
	if !slices.ContainsFunc(r.helps, func(word string) bool { return strings.Contains(line.Text, word) }) {
		b.fail("this line names no remedy: %s", line.Text)
	}
	b.each(r.from, r.good)
	_, text, _ := strings.Cut(line.Text, "msg=")
	b.saw("told once: %s", text)
}

// two plugs in two devices before the hub runs: bad on ttyUSB0, and good on ttyUSB1, which every user may open.
func (b *bench) two() (bad, good *device) {
	a1, a2 := b.adapter(), b.adapter()
	bad, good = b.device(a1, deviceOptions{name: "bad"}), b.device(a2, deviceOptions{name: "good"})
	from := b.mark()
	b.plug(a1, 0, 1)
	b.wait(from, "the kernel to make a port", uevent("add", "ttyUSB0"))
	b.plug(a2, 0, 2)
	b.wait(from, "the kernel to make a port", uevent("add", "ttyUSB1"))
	b.call("chmod", wire.Target{Path: "/dev/ttyUSB1", Mode: 0o666}, nil)
	return bad, good
}

func permission(b *bench) {
	bad, good := b.two()
	from := b.mark()
	b.startHub(wire.Program{UID: user})
	b.listen()
	b.tells(besides{good, from, "/dev/ttyUSB0", []string{"permission denied"}, []string{"group", "udev", "chmod"}})
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
	b.call("hold", holder, nil)
	b.cleanup = append(b.cleanup, func() { b.quietly("release", holder) })
	from := b.mark()
	b.startHub(wire.Program{UID: uid})
	b.listen()
	b.tells(besides{good, from, "/dev/ttyUSB0", []string{"busy"}, []string{"close", "another program"}})
	released := b.mark()
	b.call("release", holder, nil)
	b.connected(released, bad)
	b.saw("then free, and connected")
}

func notTerminal(b *bench) {
	_, good := b.two()
	file := wire.Target{Path: "/tmp/file", Text: "no port"}
	b.call("write", file, nil)
	b.cleanup = append(b.cleanup, func() { b.quietly("remove", file) })
	from := b.mark()
	b.startHub(wire.Program{Args: []string{"--serial", file.Path, "--serial", "/dev/ttyUSB1"}})
	b.listen()
	b.tells(besides{good, from, file.Path, []string{"not a"}, []string{"give the path", "serial port"}})
}
