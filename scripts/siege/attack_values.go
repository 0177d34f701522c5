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

// numbers sends numbers that take long to convert or to print, from senders in CBOR and JSON to listeners in the other format.
func numbers(ctx context.Context, t *target) {
	integer := append([]byte{cborTag<<5 | 2}, cborHead(cborBytes, nearly)...)
	integer = append(integer, bytes.Repeat([]byte{0xff}, nearly)...)
	values := [][]byte{integer, cborHead(cborTag, 2), {0xf9, 0x7e, 0x00}, {0xfb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0},
		append([]byte{cborTag<<5 | 4}, append(cborHead(cborList, 2), 0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01)...)}
	texts := []string{strings.Repeat("9", nearly), "1e999", "1e-999", "-" + strings.Repeat("1", 400), "0." + strings.Repeat("3", nearly-10),
		"1" + strings.Repeat("0", nearly-20) + "e-" + fmt.Sprint(nearly-20), "NaN", "-Infinity"}
	defer listenTo(ctx, t, 4, "odd").Wait()
	repeat(ctx, 4, func(ctx context.Context, i int) error {
		if i%2 == 0 {
			return t.signalCBOR(ctx, fmt.Sprint("odd", i), values)
		}
		return t.signalJSON(ctx, fmt.Sprint("odd", i), texts)
	})
}

// nesting sends maps and lists that are deep, wide, empty by the thousand, or have the same key again and again.
func nesting(ctx context.Context, t *target) {
	const deep, wide = 100_000, 200_000
	keys := cborHead(cborMap, wide)
	for range wide {
		keys = append(keys, 0x61, 'k', 0x00)
	}
	bytesKeys := cborHead(cborMap, 1000)
	for i := range 1000 {
		bytesKeys = append(append(bytesKeys, cborHead(cborBytes, 2)...), byte(i>>8), byte(i), 0x00)
	}
	values := [][]byte{
		bytes.Repeat([]byte{0x81}, deep), append(bytes.Repeat([]byte{0x81}, 30), 0x00), append(cborHead(cborList, wide), bytes.Repeat([]byte{0x80}, wide)...),
		keys, bytesKeys, bytes.Repeat([]byte{0x9f}, deep), bytes.Repeat([]byte{0xc1}, deep), cborHead(cborList, 1<<31-1), cborHead(cborMap, 1<<31-1),
	}
	texts := []string{
		strings.Repeat("[", deep) + strings.Repeat("]", deep), strings.Repeat(`{"a":`, deep) + "0" + strings.Repeat("}", deep),
		"[" + strings.Repeat("[],", wide) + "0]", "{" + strings.Repeat(`"k":0,`, wide/2) + `"k":0}`,
		`"` + strings.Repeat(`\u0041`, wide/2) + `"`, "[" + strings.Repeat("0,", 2*wide) + "0]",
	}
	defer listenTo(ctx, t, 4, "nest").Wait()
	repeat(ctx, 4, func(ctx context.Context, i int) error {
		if i%2 == 0 {
			return t.signalCBOR(ctx, fmt.Sprint("nest", i), values)
		}
		return t.signalJSON(ctx, fmt.Sprint("nest", i), texts)
	})
}

// listenTo starts listeners in JSON and in CBOR to senders with these names and numbers. They read what they are told, and
// do not answer. They end with ctx.
func listenTo(ctx context.Context, t *target, n int, name string) *sync.WaitGroup {
	all := new(sync.WaitGroup)
	all.Go(func() {
		repeat(ctx, n, func(ctx context.Context, i int) error {
			c, err := t.hello(ctx, nil)
			if err != nil {
				return err
			}
			defer c.Close()
			if err := c.send("add_listener", object{"sender": fmt.Sprint(name, i), "event": "n", "policy": "latest"}); err != nil {
				return err
			}
			c.drain()
			return nil
		})
	})
	all.Go(func() {
		repeat(ctx, n, func(ctx context.Context, i int) error {
			c, err := t.helloCBOR(ctx)
			if err != nil {
				return err
			}
			defer c.Close()
			params := cborObject("sender", fmt.Sprint(name, i), "event", "n", "policy", "latest")
			if err := c.put(cborMessage(2, "add_listener", params)); err != nil {
				return err
			}
			c.drain()
			return nil
		})
	})
	return all
}

// helloCBOR connects and says hello in CBOR.
func (t *target) helloCBOR(ctx context.Context) (*client, error) {
	c, err := t.dial(ctx)
	if err != nil {
		return nil, err
	}
	hello := append([]byte(cborStart), cborMessage(1, "hello", cborObject(t.who("protocol", 1, "window", 64)...))...)
	if err := c.put(hello); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// signalCBOR triggers an event with each value, until the hub closes the connection.
func (t *target) signalCBOR(ctx context.Context, sender string, values [][]byte) error {
	c, err := t.helloCBOR(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	go c.drain()
	add := cborObject("sender", sender, "events", append(cborHead(cborList, 1), cborString("n")...), "requests", []byte{0xf6})
	if err := c.put(cborMessage(2, "add_sender", add)); err != nil {
		return err
	}
	for id := 3; ; id++ {
		info := cborObject("sender", sender, "event", "n")
		if err := c.put(cborMessage(id, "signal", cborObject("info", info, "data", values[id%len(values)]))); err != nil {
			return err
		}
		wait(ctx, time.Millisecond)
	}
}

// signalJSON does the same in JSON.
func (t *target) signalJSON(ctx context.Context, sender string, texts []string) error {
	c, err := t.hello(ctx, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	go c.drain()
	if err := c.send("add_sender", object{"sender": sender, "events": []string{"n"}, "requests": nil}); err != nil {
		return err
	}
	for id := 3; ; id++ {
		message := fmt.Sprintf(`{"id":%d,"method":"signal","params":{"info":{"sender":%q,"event":"n"},"data":%s}}`+"\n",
			id, sender, texts[id%len(texts)])
		if err := c.put([]byte(message)); err != nil {
			return err
		}
		wait(ctx, time.Millisecond)
	}
}
