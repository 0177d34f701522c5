//go:build linux

package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// names returns n different names of a length, which is at least 8.
func names(prefix string, n, length int) []string {
	all := make([]string, n)
	for i := range all {
		name := fmt.Sprintf("%s%d", prefix, i)
		all[i] = name + strings.Repeat("x", max(0, length-len(name)))
	}
	return all
}

// register adds senders with many events, and stays.
func register(ctx context.Context, t *target, senders, events int) {
	repeat(ctx, 1, func(ctx context.Context, _ int) error {
		c, err := t.hello(ctx, nil)
		if err != nil {
			return err
		}
		defer c.Close()
		for i := range senders {
			if _, err := c.call("add_sender", object{"sender": fmt.Sprint("reg", i), "events": names("e", events, 8), "requests": nil}); err != nil {
				return err
			}
		}
		c.drain()
		return errDone
	})
}

// manySenders registers what it can: clients with 256 senders, of 1,024 events with long names, or units of nearly 1 MiB, or
// channels, or methods.
func manySenders(ctx context.Context, t *target) {
	events, methods, channels := names("e", 1024, 240), names("m", 1024, 240), names("#", 1024, 240)
	unit := strings.Repeat("u", nearly-200)
	repeat(ctx, 16, func(ctx context.Context, i int) error {
		c, err := t.hello(ctx, object{"name": strings.Repeat("n", 255)})
		if err != nil {
			return err
		}
		defer c.Close()
		for n := range 256 {
			params := object{"sender": names(fmt.Sprintf("%d-%d-", i, n), 1, 200)[0], "events": []string{"e"}, "requests": nil}
			switch i % 4 {
			case 0:
				params["units"] = object{"e": unit}
			case 1:
				params["events"] = events
			case 2:
				params["events"] = channels
			case 3:
				params["requests"] = methods
			}
			if _, err := c.call("add_sender", params); err != nil {
				return err
			}
		}
		c.drain()
		return nil
	})
}

// manyListeners adds what listeners it can, early ones to senders that are not there, with names as long as possible.
func manyListeners(ctx context.Context, t *target) {
	repeat(ctx, 32, func(ctx context.Context, i int) error {
		c, err := t.hello(ctx, nil)
		if err != nil {
			return err
		}
		defer c.Close()
		go c.drain()
		for n := range 8192 {
			sender := names(fmt.Sprintf("%d-%d-", i, n), 1, 250)[0]
			if err := c.send("add_listener", object{"sender": sender, "event": sender, "early": true}); err != nil {
				return err
			}
		}
		c.hang(ctx)
		return nil
	})
}

// listing lists all senders in a loop, without a break.
func listing(ctx context.Context, t *target) {
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { register(ctx, t, 256, 512) })
	repeat(ctx, 8, func(ctx context.Context, i int) error {
		c, err := t.hello(ctx, object{"max_message": 64 << 20})
		if err != nil {
			return err
		}
		defer c.Close()
		go c.drain()
		for {
			params := object{"list_events": true}
			if i%2 == 1 {
				params = object{"list_events": true, "limit": 10, "after": "reg1"}
			}
			if err := c.send("list_senders", params); err != nil {
				return err
			}
		}
	})
}

// escapes gives names and texts that would do something to a terminal, and lets most of them be refused.
func escapes(ctx context.Context, t *target) {
	evil := strings.Repeat("\x1b[2J\x1b]0;owned\x07\n\u202e", 10)
	repeat(ctx, 16, func(ctx context.Context, i int) error {
		c, err := t.hello(ctx, object{"name": strings.Repeat("\x01\x1b", 127)})
		if err != nil { // its name is refused
			c, err = t.hello(ctx, nil)
		}
		if err != nil {
			return err
		}
		defer c.Close()
		for n := range 100 {
			name := evil[:min(len(evil), 250)] + fmt.Sprint(i, n)
			for _, m := range []struct {
				method string
				params any
			}{
				{"add_sender", object{"sender": name, "events": []string{evil, "\u200b"}, "requests": []string{evil}, "units": object{evil: evil}}},
				{"add_listener", object{"sender": name, "event": evil}},
				{"signal", object{"info": object{"sender": name, "event": evil}, "data": evil}},
				{"request", object{"sender": preySender, "method": evil, "params": evil}},
				{evil, evil},
				{"remove_sender", object{"sender": name}},
			} {
				if _, err := c.call(m.method, m.params); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// turnover adds and removes senders and listeners, many at a time, and clients come and go with them.
func turnover(ctx context.Context, t *target) {
	repeat(ctx, 8, func(ctx context.Context, i int) error {
		c, err := t.hello(ctx, nil)
		if err != nil {
			return err
		}
		defer c.Close()
		go c.drain()
		name := fmt.Sprint("turn", i)
		until := time.Now().Add(time.Second)
		for n := 0; time.Now().Before(until); n++ {
			for _, m := range []struct {
				method string
				params any
			}{
				{"add_sender", object{"sender": name, "events": names("e", 200, 8), "requests": []any{nil}}},
				{"add_listener", object{"sender": preySender, "event": nil}},
				{"add_listener", object{"sender": name, "event": "e1xxxxxx"}},
				{"add_listener", object{"sender": fmt.Sprint(name, "-", n), "event": "later", "early": true}},
				{"remove_sender", object{"sender": name}},
				{"remove_listener", object{"listener_id": 3*n + 1}},
				{"remove_listener", object{"listener_id": 3*n + 2}},
			} {
				if err := c.send(m.method, m.params); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// intruder acts for senders that belong to others.
func intruder(ctx context.Context, t *target) {
	repeat(ctx, 8, func(ctx context.Context, _ int) error {
		c, err := t.hello(ctx, nil)
		if err != nil {
			return err
		}
		defer c.Close()
		for range 200 {
			for _, m := range []struct {
				method string
				params any
			}{
				{"signal", object{"info": object{"sender": goodSender, "event": tick}, "data": -1}},
				{"signal", object{"info": object{"sender": goodSender, "event": "#disconnect"}, "data": nil}},
				{"signal", object{"info": object{"sender": goodSender, "event": "#gap"}, "data": object{"lost": 7}}},
				{"add_sender", object{"sender": goodSender, "events": []string{tick}, "requests": nil}},
				{"remove_sender", object{"sender": goodSender}},
				{"remove_listener", object{"listener_id": 1}},
				{"request", object{"sender": goodSender, "method": nil}},
			} {
				if _, err := c.call(m.method, m.params); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
