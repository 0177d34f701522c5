//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// nearly is almost the largest message that a hub reads by default.
const nearly = 1<<20 - 512

// partial leaves messages unfinished: half of them in JSON without hello, a quarter after hello, a quarter in CBOR.
func partial(ctx context.Context, t *target) {
	long := strings.Repeat("a", nearly)
	repeat(ctx, 300, func(ctx context.Context, i int) error {
		var c *client
		var err error
		if i%4 == 1 {
			c, err = t.hello(ctx, nil)
		} else {
			c, err = t.dial(ctx)
		}
		if err != nil {
			return err
		}
		defer c.Close()
		if i%4 == 3 {
			// The length is one more than what follows.
			err = c.put(append([]byte(cborStart), append(cborHead(cborBytes, nearly+1), long...)...))
		} else {
			err = c.put([]byte(`{"id":1,"method":"x","params":"` + long))
		}
		if err != nil {
			return err
		}
		c.hang(ctx)
		return nil
	})
}

// trickle sends messages byte by byte, each byte in time not to count as silent, and begins with most of a long one.
func trickle(ctx context.Context, t *target) {
	begin := []byte(`{"id":1,"method":"get_version","params":"` + strings.Repeat("b", nearly/2))
	repeat(ctx, 200, func(ctx context.Context, i int) error {
		c, err := t.dial(ctx)
		if err != nil {
			return err
		}
		defer c.Close()
		if i%2 == 0 {
			if err := c.put(begin); err != nil {
				return err
			}
		}
		for b := byte(0); ctx.Err() == nil; b++ {
			text := `{"id": 1, "method": "`
			if i%2 == 0 {
				text = "bbbbbbbb"
			}
			if err := c.put([]byte{text[int(b)%len(text)]}); err != nil {
				return err
			}
			wait(ctx, 100*time.Millisecond)
			if int(b) == len(text) && i%2 != 0 {
				return nil
			}
		}
		return nil
	})
}

// unread asks with ids of nearly 1 MiB, which come back, and reads nothing. Some read a little, so that they seem alive.
func unread(ctx context.Context, t *target) {
	id := `"` + strings.Repeat("i", nearly) + `"`
	question := []byte(`{"id":` + id + `,"method":"get_version"}` + "\n")
	unreadBy(ctx, t, 64, question)
}

// unreadLists asks short questions with long answers, and reads nothing.
func unreadLists(ctx context.Context, t *target) {
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { register(ctx, t, 64, 256) })
	unreadBy(ctx, t, 64, bytes.Repeat([]byte(`{"id":1,"method":"list_senders","params":{"list_events":true}}`+"\n"), 64))
}

func unreadBy(ctx context.Context, t *target, n int, question []byte) {
	repeat(ctx, n, func(ctx context.Context, i int) error {
		c, err := t.hello(ctx, object{"max_message": 8 << 20})
		if err != nil {
			return err
		}
		defer c.Close()
		c.deaf()
		for ctx.Err() == nil && err == nil {
			err = c.put(question)
			if i%2 == 0 {
				_, _ = c.in.Discard(1024) // it seems alive
			}
		}
		c.hang(ctx) // what it has asked stays
		return err
	})
}

// pinned sends requests to a sender of its own that never answers.
func pinned(ctx context.Context, t *target) { pinnedBy(ctx, t, 8, false) }

// pinnedGone does the same, but those who asked leave at once.
func pinnedGone(ctx context.Context, t *target) { pinnedBy(ctx, t, 8, true) }

func pinnedBy(ctx context.Context, t *target, n int, leave bool) {
	params := strings.Repeat("p", nearly)
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { // the sender reads what it is asked, and says nothing
		repeat(ctx, n, func(ctx context.Context, i int) error {
			c, err := t.hello(ctx, nil)
			if err != nil {
				return err
			}
			defer c.Close()
			if _, err := c.call("add_sender", object{"sender": fmt.Sprint("tar", i), "events": []string{}, "requests": []any{nil}}); err != nil {
				return err
			}
			c.drain()
			return nil
		})
	})
	repeat(ctx, n, func(ctx context.Context, i int) error {
		c, err := t.hello(ctx, nil)
		if err != nil {
			return err
		}
		defer c.Close()
		if !leave {
			go c.drain()
		}
		for range 64 {
			if err := c.send("request", object{"sender": fmt.Sprint("tar", i), "method": "m", "params": params}); err != nil {
				return err
			}
		}
		return nil
	})
}

// flood sends requests and events with long data to those who answer them.
func flood(ctx context.Context, t *target) {
	data := strings.Repeat("f", 100_000)
	repeat(ctx, 16, func(ctx context.Context, i int) error {
		c, err := t.hello(ctx, nil)
		if err != nil {
			return err
		}
		defer c.Close()
		go c.drain()
		own := fmt.Sprint("flood", i)
		if err := c.send("add_sender", object{"sender": own, "events": []string{"e"}, "requests": nil}); err != nil {
			return err
		}
		for {
			if err := c.send("request", object{"sender": preySender, "method": "m", "params": data}); err != nil {
				return err
			}
			if err := c.send("signal", object{"info": object{"sender": own, "event": "e"}, "data": data}); err != nil {
				return err
			}
		}
	})
}

// everything takes a little of each kind of memory, from eight addresses.
func everything(ctx context.Context, t *target) {
	var all sync.WaitGroup
	for i, run := range []func(context.Context, *target){partial, unread, manySenders, pinned, gaps, flood, nesting, unreadLists} {
		from := &target{addr: t.addr, serial: t.serial, source: byte(70 + i)}
		all.Go(func() {
			run(ctx, from)
			t.connections.Add(from.connections.Load())
			t.messages.Add(from.messages.Load())
			t.bytes.Add(from.bytes.Load())
		})
	}
	all.Wait()
}
