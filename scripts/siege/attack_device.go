//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/device"
	"sighub/carrier/serial/port"
)

// onLine runs f with the device's end of the line that the hub expects.
func (t *target) onLine(ctx context.Context, f func(line *port.PTY)) {
	line, err := port.NewPTY(t.serial)
	if err != nil {
		return // what it did not do is seen in the table
	}
	f(line)
	_ = line.Close() // the end of the attack
	<-ctx.Done()
}

// A plug is the handler of a device: it runs talk while the hub is connected, and answers nothing of what it is asked.
type plug struct {
	target *target
	talk   func(ctx context.Context, hub carrier.ClientID)
	ctx    context.Context // that of Serve: a handler is given none
	all    *sync.WaitGroup
}

func (p plug) ClientConnected(c carrier.Client) {
	p.target.connections.Add(1)
	if p.talk != nil {
		p.all.Go(func() { p.talk(p.ctx, c.ID) })
	}
}

func (plug) HandleMessage(_ carrier.ClientID, _ *carrier.Message, respond func(carrier.Reply)) {
	respond(carrier.Done(nil))
}
func (plug) ClientDisconnected(carrier.ClientID, error) {}
func (plug) AllClientsDisconnected(error)               {}

// serve runs a device for a while.
func (t *target) serve(ctx context.Context, line *port.PTY, span time.Duration, o device.Options,
	talk func(ctx context.Context, d *device.Device, hub carrier.ClientID)) {
	d, err := device.New(line.Open, o)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, span)
	defer cancel()
	var all sync.WaitGroup
	defer all.Wait()
	p := plug{target: t, ctx: ctx, all: &all}
	if talk != nil {
		p.talk = func(ctx context.Context, hub carrier.ClientID) { talk(ctx, d, hub) }
	}
	_ = d.Serve(ctx, p) // it ends with ctx
}

// deviceReboots is a device with 4,000 senders, half of which have names that others have, or that are refused.
func deviceReboots(ctx context.Context, t *target) {
	var senders []device.Sender
	for i := range 4000 {
		senders = append(senders, device.Sender{Name: strconv.FormatInt(int64(i), 36)})
	}
	senders[0].Name = goodSender
	t.onLine(ctx, func(line *port.PTY) {
		for ctx.Err() == nil {
			t.serve(ctx, line, time.Second, device.Options{UID: []byte{6, 6, 6}, Name: "evil", Senders: senders, MaxFrame: 4096}, nil)
		}
	})
}

// deviceUIDs is another device each time, with another dictionary and a name of escape sequences.
func deviceUIDs(ctx context.Context, t *target) {
	t.onLine(ctx, func(line *port.PTY) {
		for n := 0; ctx.Err() == nil; n++ {
			o := device.Options{UID: []byte{9, 9, byte(n >> 8), byte(n)}, Name: strings.Repeat("\x1b", 5)}
			for i := range 20 {
				events := make([]device.Event, 8)
				for e := range events {
					events[e] = device.Event{Name: fmt.Sprint("e", e), Unit: "V"}
				}
				o.Senders = append(o.Senders, device.Sender{Name: fmt.Sprintf("u%d-%d", n, i), Events: events})
			}
			t.serve(ctx, line, 300*time.Millisecond, o, nil)
		}
	})
}

// deviceValues reports values that a hub refuses: texts that are not UTF-8, long ones, numbers that are none.
func deviceValues(ctx context.Context, t *target) {
	values := []any{"caf\xe9", strings.Repeat("\xff", 60), math.Inf(1), math.NaN(), []byte{0xff, 0xfe}, map[string]any{"\xff": 1}, "\x1b[2J", true, nil}
	o := device.Options{UID: []byte{5, 5}, MaxFrame: 4096, Senders: []device.Sender{{Name: "values", Events: []device.Event{{Name: "e"}}}}}
	t.onLine(ctx, func(line *port.PTY) {
		for ctx.Err() == nil {
			t.serve(ctx, line, 10*time.Second, o, func(ctx context.Context, d *device.Device, _ carrier.ClientID) {
				for n := 0; ctx.Err() == nil; n++ {
					if d.Report(ctx, "values", "e", values[n%len(values)], func(error) {}) == nil {
						t.messages.Add(1)
					}
				}
			})
		}
	})
}

// deviceNoise writes bytes at random, with and without the zeros that end frames, and repeats frames of its own.
func deviceNoise(ctx context.Context, t *target) {
	t.write(ctx, func(n int) []byte {
		b := make([]byte, 1000)
		_, _ = rand.Read(b) // it never fails
		switch n % 4 {
		case 1:
			return bytes.ReplaceAll(b, []byte{0}, []byte{1})
		case 2:
			return make([]byte, 1000)
		case 3:
			for i := range b {
				if i%7 == 0 {
					b[i] = 0
				}
			}
		}
		return b
	})
}

// deviceConsole writes what programs print that are no devices: lines, lines without end, escape sequences, other encodings.
func deviceConsole(ctx context.Context, t *target) {
	t.write(ctx, func(n int) []byte {
		switch n % 5 {
		case 0:
			return fmt.Appendf(nil, "[%8d] temperature=21.5 humidity=40\r\n", n)
		case 1:
			return []byte("\x1b[2J\x1b[H\x1b]0;owned\x07login: \x1b[31m")
		case 2:
			return bytes.Repeat([]byte("A"), 1000)
		case 3:
			return []byte("\xe9\xff\xfe Fehler: \xb0C\n\n\n\n")
		}
		return []byte("panic: stack overflow\nRebooting...\n\x00ets Jun  8 2016\x00")
	})
}

// write writes texts to the line as fast as the hub reads them.
func (t *target) write(ctx context.Context, text func(n int) []byte) {
	t.onLine(ctx, func(line *port.PTY) {
		for n := 0; ctx.Err() == nil; {
			p, err := line.Open(ctx)
			if err != nil {
				wait(ctx, 20*time.Millisecond)
				continue
			}
			stop := context.AfterFunc(ctx, func() { _ = p.Close() })
			go func() { // what the hub says goes nowhere
				b := make([]byte, 4096)
				for {
					if _, err := p.Read(b); err != nil {
						return
					}
				}
			}()
			for ; err == nil; n++ {
				var written int
				written, err = p.Write(text(n))
				t.bytes.Add(int64(written))
				t.messages.Add(1)
			}
			stop()
			_ = p.Close() // it may be closed already
			t.connections.Add(1)
		}
	})
}

// deviceSpy does what a device has no business with: it listens to everything, asks others, adds names and removes them.
func deviceSpy(ctx context.Context, t *target) {
	params := []struct {
		method string
		params carrier.Object
	}{
		{"add_listener", carrier.Object{{Key: "sender", Value: nil}, {Key: "event", Value: nil}}},
		{"list_senders", carrier.Object{{Key: "list_events", Value: true}}},
		{"list_ports", nil},
		{"request", carrier.Object{{Key: "sender", Value: preySender}, {Key: "method", Value: "set"}, {Key: "params", Value: true}}},
		{"add_sender", carrier.Object{{Key: "sender", Value: "squatted"}, {Key: "events", Value: []string{"e"}}, {Key: "requests", Value: nil}}},
		{"signal", carrier.Object{{Key: "info", Value: carrier.Object{{Key: "sender", Value: goodSender}, {Key: "event", Value: tick}}}, {Key: "data", Value: -1}}},
		{"remove_sender", carrier.Object{{Key: "sender", Value: goodSender}}},
		{"hello", carrier.Object{{Key: "protocol", Value: 1}}},
	}
	t.onLine(ctx, func(line *port.PTY) {
		for ctx.Err() == nil {
			o := device.Options{UID: []byte{7, 7}, Name: "spy\x1b[31mRED", MaxFrame: 4096}
			t.serve(ctx, line, 10*time.Second, o, func(ctx context.Context, d *device.Device, hub carrier.ClientID) {
				for n := 0; ctx.Err() == nil; n++ {
					p := params[n%len(params)]
					m := &carrier.Message{Method: p.method, Params: carrier.ValueOf(p.params)}
					if d.Transmit(ctx, hub, m, func(carrier.Reply, error) {}) != nil {
						wait(ctx, 5*time.Millisecond)
					}
					t.messages.Add(1)
				}
			})
		}
	})
}
