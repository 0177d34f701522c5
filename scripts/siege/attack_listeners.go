//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"
)

// crowd is one client with 4,096 listeners to the same event. It answers only when the longest deadline has passed, catches
// up, and begins again.
func crowd(ctx context.Context, t *target) {
	repeat(ctx, 1, func(ctx context.Context, _ int) error {
		c, err := t.hello(ctx, nil)
		if err != nil {
			return err
		}
		defer c.Close()
		for range 4096 {
			if _, err := c.call("add_listener", object{"sender": preySender, "event": tick, "policy": "block", "deadline": 60_000}); err != nil {
				return err
			}
		}
		for ctx.Err() == nil {
			m, err := c.get(time.Minute)
			if err != nil {
				return err
			}
			wait(ctx, 5050*time.Millisecond)
			for err == nil {
				if m.Method != "" {
					if err := c.put(fmt.Appendf(nil, `{"id":%s,"status":0,"response":null}`+"\n", m.ID)); err != nil {
						return err
					}
				}
				m, err = c.get(150 * time.Millisecond)
			}
		}
		return nil
	})
}

// renew are listeners that accept one event and answer none. As soon as a hub no longer waits for them, they come back as new
// clients.
func renew(ctx context.Context, t *target) {
	repeat(ctx, 4, func(ctx context.Context, _ int) error {
		c, err := t.hello(ctx, object{"window": 1})
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.send("add_listener", object{"sender": preySender, "event": tick, "policy": "block", "deadline": 60_000}); err != nil {
			return err
		}
		wait(ctx, 8*time.Second) // some time to fill what waits for it, and the longest deadline
		return nil
	})
}

// busy are legacy clients that listen to the prey and make a call before each answer, so that they always progress, slowly.
func busy(ctx context.Context, t *target) {
	repeat(ctx, 4, func(ctx context.Context, _ int) error {
		c, err := t.dial(ctx)
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.send("add_listener", object{"sender": preySender, "event": tick}); err != nil {
			return err
		}
		for ctx.Err() == nil {
			m, err := c.legacy()
			if err != nil {
				return err
			}
			if m.Method == "" {
				continue
			}
			if err := c.send("get_version", nil); err != nil {
				return err
			}
			if _, err := c.legacy(); err != nil {
				return err
			}
			if err := c.put(fmt.Appendf(nil, `{"id":%s,"status":0,"response":null}`, m.ID)); err != nil {
				return err
			}
		}
		return nil
	})
}

// legacy reads one message as legacy clients do, with one call.
func (c *client) legacy() (*reply, error) {
	b := make([]byte, 4096)
	if err := c.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return nil, err
	}
	n, err := c.in.Read(b)
	if err != nil {
		return nil, err
	}
	m := new(reply)
	_ = json.Unmarshal(b[:n], m) // two messages at once are lost to a legacy client
	return m, nil
}

// gaps are listeners of each policy that read nothing, to events of 100 kB that others of them trigger as fast as they can.
func gaps(ctx context.Context, t *target) {
	data := strings.Repeat("g", 100_000)
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() {
		repeat(ctx, 48, func(ctx context.Context, i int) error {
			c, err := t.hello(ctx, object{"signals": 1 << (i % 12)})
			if err != nil {
				return err
			}
			defer c.Close()
			c.deaf()
			policy := []string{"block", "latest", "disconnect"}[i%3]
			for n := range 8 {
				if err := c.send("add_listener", object{"sender": preySender, "event": nil, "policy": policy}); err != nil {
					return err
				}
				if err := c.send("add_listener", object{"sender": fmt.Sprint("gap", n%4), "event": "e", "early": true, "policy": policy}); err != nil {
					return err
				}
			}
			c.hang(ctx)
			return nil
		})
	})
	repeat(ctx, 4, func(ctx context.Context, i int) error {
		c, err := t.hello(ctx, nil)
		if err != nil {
			return err
		}
		defer c.Close()
		go c.drain()
		name := fmt.Sprint("gap", i)
		if err := c.send("add_sender", object{"sender": name, "events": []string{"e"}, "requests": nil}); err != nil {
			return err
		}
		for {
			if err := c.send("signal", object{"info": object{"sender": name, "event": "e"}, "data": data}); err != nil {
				return err
			}
		}
	})
}
