package main

import (
	"cmp"
	"time"
)

// A scenario is something that happens to a hub, and what must follow.
type scenario struct {
	name  string
	what  string // a description for the table
	run   func(*bench)
	alone bool          // nothing else may run meanwhile, because it judges times
	most  time.Duration // how long it may take; default 2 minutes
}

func (s scenario) limit() time.Duration { return cmp.Or(s.most, 2*time.Minute) }

// scenarios returns all scenarios, in the order in which they start. The first ones do not judge times: while they run, QEMU
// translates the programs.
func scenarios() []scenario {
	return []scenario{
		{name: "settings", what: "an open port is set up as it should be", run: settings, alone: true},
		{name: "patterns", what: "ports named by patterns, and by nothing else", run: patterns, alone: true},
		{name: "replug", what: "unplugged while readings flow, and plugged in again", run: replug, alone: true},
		{name: "frame", what: "unplugged in the middle of a frame", run: middleOfFrame, alone: true},
		{name: "request", what: "unplugged in the middle of a request", run: middleOfRequest, alone: true},
		{name: "slow", what: "unplugged while a listener is slow", run: slowListener, alone: true},
		{name: "prints", what: "a device that prints lines, unplugged while they flow", run: prints, alone: true},
		{name: "formats", what: "devices that print, one of each format, each unplugged in turn", run: allFormats},
		{name: "cycles", what: "many plug cycles leave nothing behind", run: cycles, most: 8 * time.Minute},
		{name: "renamed", what: "a port that another program holds comes back as ttyUSB1", run: renamed},
		{name: "stopped", what: "the hub is halted during a replug, and finds ttyUSB1", run: stopped},
		{name: "swapped", what: "two adapters that look the same change places while unplugged", run: swapped},
		{name: "cables", what: "behind a USB hub, which is pulled out, and back without it", run: cables},
		{name: "restarted", what: "a device that lost its power with its port", run: restarted},
		{name: "rate", what: "unplugged in the middle of a change of the baud rate", run: middleOfRate},
		{name: "starting", what: "unplugged while the hub starts", run: starting},
		{name: "stopping", what: "unplugged while the hub stops", run: stopping},
		{name: "boottext", what: "2 s of boot text at another rate, then a device", run: bootText},
		{name: "permission", what: "no permission for one port, another goes on", run: permission},
		{name: "busy", what: "one port in exclusive use elsewhere, another goes on", run: busy},
		{name: "locked", what: "one port locked by another program, another goes on", run: locked},
		{name: "notty", what: "a path that is not a port, another goes on", run: notTerminal},
		{name: "ports", what: "`sighub ports` shows the state of each port", run: ports},
		{name: "twice", what: "the same device on two ports at once", run: twice},
		{name: "descriptors", what: "a hub with more than 1,024 descriptors", run: descriptors},
		{name: "consoles", what: "the machine's own terminals are not touched", run: consoles},
	}
}
