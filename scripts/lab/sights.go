package main

import (
	"encoding/json"
	"slices"
	"strings"

	"sighub/scripts/lab/wire"
)

func isReady(s wire.Sight) bool { return s.Kind == wire.Ready }

// uevent matches an announcement of the kernel: action is add or remove; an empty name means any port.
func uevent(action, name string) match {
	return func(s wire.Sight) bool {
		return s.Kind == wire.Uevent && s.Text == action && strings.HasPrefix(s.Name, "ttyUSB") && (name == "" || s.Name == name)
	}
}

// pulled matches the kernel's first word about an adapter that is gone.
func pulled(s wire.Sight) bool {
	return s.Kind == wire.Kernel && strings.Contains(s.Text, "USB disconnect")
}

// plugged matches the kernel's first word about an adapter that is there.
func plugged(s wire.Sight) bool {
	return s.Kind == wire.Kernel && strings.Contains(s.Text, "new full-speed USB device")
}

// after matches a sight with a later time than another.
func after(first wire.Sight, m match) match {
	return func(s wire.Sight) bool { return s.At >= first.At && m(s) }
}

// listener is the name of the normal listener; slow ones have other names.
const listener = "listener"

// heard matches an event at the listener.
func heard(sender, event string) match {
	return func(s wire.Sight) bool {
		return s.Kind == wire.Heard && s.By == listener && s.Sender == sender && s.Event == event
	}
}

// logged matches a line of the hub's log that has all of these words.
func logged(words ...string) match {
	return func(s wire.Sight) bool {
		missing := func(word string) bool { return !strings.Contains(s.Text, word) }
		return s.Kind == wire.Log && !slices.ContainsFunc(words, missing)
	}
}

// opened matches each opening of the first port.
func opened(s wire.Sight) bool { return s.Kind == wire.Opened && s.Name == "ttyUSB0" }

func count(sights []wire.Sight, m match) int {
	n := 0
	for _, s := range sights {
		if m(s) {
			n++
		}
	}
	return n
}

// A connection has the parts of the data of #connect and #disconnect that are needed here.
type connection struct {
	Reason string `json:"reason"`
	Client struct {
		UID  string `json:"uid"`
		Addr string `json:"addr"`
	} `json:"client"`
}

func (b *bench) connectionOf(s wire.Sight) (c connection) {
	b.must(json.Unmarshal(s.Data, &c))
	return c
}
