//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// An attack is one kind of harm.
type attack struct {
	name  string
	about string
	run   func(ctx context.Context, t *target) // until ctx is done; nil: see judge
	judge func(ctx context.Context, o *options) (verdict, error)
}

// calm is the name of the attack that is none: it measures what the machine itself does.
const calm = "calm"

// attacks returns all attacks, calm first.
func attacks() []attack {
	return []attack{
		{name: calm, about: "nobody: what the machine and the well-behaved pair do alone", run: func(ctx context.Context, _ *target) { <-ctx.Done() }},
		{name: "partial", about: "messages of nearly 1 MiB that never end", run: partial},
		{name: "trickle", about: "messages that arrive byte by byte", run: trickle},
		{name: "unread", about: "replies that nobody reads, with ids of 1 MiB", run: unread},
		{name: "unread-lists", about: "long lists that nobody reads", run: unreadLists},
		{name: "senders", about: "as many senders, events and units as possible, with long names", run: manySenders},
		{name: "listeners", about: "as many listeners as possible, to senders with long names that never come", run: manyListeners},
		{name: "listing", about: "list_senders in a loop, over many senders", run: listing},
		{name: "pinned", about: "requests with long params to a sender that never answers", run: pinned},
		{name: "pinned-gone", about: "the same from clients that leave at once", run: pinnedGone},
		{name: "numbers", about: "integers of 1 MiB and other odd numbers, for listeners in JSON", run: numbers},
		{name: "nesting", about: "deep, wide and repeated maps and lists", run: nesting},
		{name: "slots", about: "connections that say nothing, or half a message, or half of TLS", run: slots},
		{name: "churn", about: "connections with garbage, HTTP and TLS, as fast as possible", run: churn},
		{name: "logins", about: "logins that fail, with tokens, passwords and invitations, from 10,000 addresses", run: logins},
		{name: "slowloris", about: "connections of each protocol, byte by byte", run: slowloris},
		{name: "leavers", about: "calls that list and register, and of no method, from clients that leave at once", run: leavers},
		{name: "escapes", about: "long names and texts of escape sequences, most of them refused", run: escapes},
		{name: "crowd", about: "4,096 equal listeners of one client that answer late", run: crowd},
		{name: "busy", about: "a legacy listener that always has something to do", run: busy},
		{name: "renew", about: "deaf listeners that leave when nobody waits for them any more, and come back", run: renew},
		{name: "turnover", about: "senders and listeners that are added and removed in a loop", run: turnover},
		{name: "gaps", about: "listeners of every policy that never read, and senders that flood them", run: gaps},
		{name: "hellos", about: "hello with wrong, huge or repeated values", run: hellos},
		{name: "answers", about: "replies to nothing, and answers to signals that were never sent", run: answers},
		{name: "routes", about: "signals on routes that do not exist, and routes with long names", run: routes},
		{name: "intruder", about: "events, names and removals of other clients' senders", run: intruder},
		{name: "flood", about: "requests and events with long data to those who answer", run: flood},
		{name: "mqtt-deaf", about: "MQTT subscribers that never read, and publishers that flood them", run: mqttDeaf},
		{name: "mqtt-sessions", about: "MQTT sessions that are to be kept for ever, each under a new name", run: mqttSessions},
		{name: "mqtt-garbage", about: "MQTT packets that are damaged, out of order, or mean nothing", run: mqttGarbage},
		{name: "everything", about: "a little of what takes memory, from many addresses at once", run: everything},
		{name: "device-reboots", about: "a serial device with 4,000 senders that starts again and again", run: deviceReboots},
		{name: "device-uids", about: "a serial device with a new uid and a new dictionary each time", run: deviceUIDs},
		{name: "device-values", about: "a serial device whose values are refused", run: deviceValues},
		{name: "device-noise", about: "noise on a serial line", run: deviceNoise},
		{name: "device-console", about: "console text and escape sequences on a serial line", run: deviceConsole},
		{name: "device-spy", about: "a serial device that listens, asks, adds names and floods", run: deviceSpy},
		{name: "config", about: "`check` of configurations that explode", judge: bombs},
	}
}

// A target is what is attacked.
type target struct {
	addr   string // of the hub, without a scheme
	far    string // the same for who is on another machine, where TLS is required; empty: nobody is
	token  string // by which the hub knows the attackers; empty: they are strangers
	serial string // the path at which the hub expects a serial device
	source byte   // the last byte of the address that attackers have

	connections, messages, bytes atomic.Int64
}

// A deed is what an attacker has done, as it reports it.
type deed struct{ Connections, Messages, Bytes int64 }

// attackAs is the role of an attacker: it attacks until its parent closes its standard input or sends a signal.
func attackAs(ctx context.Context, name, addr, far, serial string, out io.Writer) error {
	for _, a := range attacks() {
		if a.name == name && a.run != nil {
			t := &target{addr: addr, far: far, serial: serial, source: 66, token: os.Getenv(tokenVariable)}
			a.run(ctx, t)
			return json.NewEncoder(out).Encode(deed{t.connections.Load(), t.messages.Load(), t.bytes.Load()})
		}
	}
	return fmt.Errorf("no attack is called %s", name)
}

// errDone ends a part of an attack that has done all that it can.
var errDone = errors.New("done")

// repeat runs n attackers until ctx is done. Each does f again and again; after an error, such as a refused connection, it
// waits for a moment, so that it is f that harms, and not the loop. After errDone it rests.
func repeat(ctx context.Context, n int, f func(ctx context.Context, i int) error) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			for ctx.Err() == nil {
				switch err := f(ctx, i); {
				case errors.Is(err, errDone):
					<-ctx.Done()
				case err != nil:
					wait(ctx, 20*time.Millisecond)
				}
			}
		})
	}
	all.Wait()
}

// wait waits for a time, or until ctx is done.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
