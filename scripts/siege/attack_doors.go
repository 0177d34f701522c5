//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"
)

// clientHello begins a TLS connection: the header of a record of 512 bytes and of a ClientHello (RFC 8446, sections 4 and 5),
// and nothing of what it announces.
const clientHello = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"

// slots holds as many connections as it can: silent, with half a message, or with half of what begins TLS.
func slots(ctx context.Context, t *target) {
	beginnings := []string{"", `{"id":`, clientHello, cborStart, " ", "GET / HTTP/1.1\r\n"}
	repeat(ctx, 9000, func(ctx context.Context, i int) error {
		wait(ctx, time.Duration(i/4)*time.Millisecond) // not all in the same millisecond
		c, err := t.dial(ctx)
		if err != nil {
			wait(ctx, time.Second)
			return err
		}
		defer c.Close()
		if b := beginnings[i%len(beginnings)]; b != "" {
			if err := c.put([]byte(b)); err != nil {
				return err
			}
		}
		for !c.gone() {
			wait(ctx, time.Second)
			if ctx.Err() != nil {
				return nil
			}
		}
		return nil
	})
}

// gone reports whether the hub has closed the connection.
func (c *client) gone() bool {
	raw, err := c.SyscallConn()
	return err != nil || hungUp(raw)
}

// churn connects, says what no client says, and leaves.
func churn(ctx context.Context, t *target) {
	noise := make([]byte, 4096)
	_, _ = rand.Read(noise) // it never fails
	said := [][]byte{
		[]byte("GET / HTTP/1.1\r\nHost: hub\r\n\r\n"), []byte(clientHello), noise, []byte("G"), nil, []byte(`{"id":1,"method":"hello"`),
		[]byte("{}{}{}[]"), []byte(cborStart + "\xff\xff\xff"), []byte("{\"id\":1}\n"), []byte("\x00"), []byte("SSH-2.0-x\r\n"),
		[]byte(`{"id":1,"method":"hello","params":{"protocol":1,"name":"` + strings.Repeat(`\u0001`, 255) + `"}}` + "\n"),
		bytes.Repeat([]byte("\n"), 60_000),
	}
	repeat(ctx, 16, func(ctx context.Context, i int) error {
		for n := i; ctx.Err() == nil; n++ {
			c, err := t.dial(ctx)
			if err != nil {
				return err
			}
			err = c.put(said[n%len(said)])
			if n%3 == 0 {
				_ = c.SetLinger(0) // it leaves with a reset
			} else if err == nil {
				_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
				_, _ = c.in.Discard(64)
			}
			c.Close()
		}
		return nil
	})
}

// leavers asks for all that has to wait for its turn, and leaves before it has its answers.
func leavers(ctx context.Context, t *target) {
	repeat(ctx, 4, func(ctx context.Context, i int) error {
		c, err := t.hello(ctx, object{"window": 64})
		if err != nil {
			return err
		}
		defer c.Close()
		for n := range 16 {
			name := fmt.Sprint("leaver", i, "-", n)
			err = errors.Join(
				c.send("list_senders", nil), c.send("add_sender", object{"sender": name, "events": []string{tick}}),
				c.send("add_listener", object{"sender": name, "event": tick}), c.send(name, nil))
		}
		return err
	})
}

// hellos says hello wrongly, hugely, or more than once.
func hellos(ctx context.Context, t *target) {
	params := []any{
		nil, 1, "protocol", []int{1}, object{}, object{"protocol": 99}, object{"protocol": -1}, object{"protocol": "1"},
		object{"protocol": 1, "window": int64(1) << 40}, object{"protocol": 1, "window": -5}, object{"protocol": 1, "max_message": 1},
		object{"protocol": 1, "max_message": -1}, object{"protocol": 1, "signals": int64(1) << 50}, object{"protocol": 1, "signals": -1},
		object{"protocol": 1, "name": strings.Repeat("n", nearly-200)}, object{"protocol": 1, "name": 7},
		object{"protocol": 1, "unknown": strings.Repeat("u", 1000)},
	}
	repeat(ctx, 8, func(ctx context.Context, i int) error {
		c, err := t.dial(ctx)
		if err != nil {
			return err
		}
		defer c.Close()
		for n := range 20 {
			if _, err := c.call("hello", params[(i+n)%len(params)]); err != nil {
				return err
			}
		}
		return nil
	})
}

// answers replies to messages that were never sent, and answers signals that were never sent.
func answers(ctx context.Context, t *target) {
	lies := []string{
		`{"id":%d,"status":0,"response":null}`, `{"id":%d,"status":-2,"exception":"no"}`, `{"id":"x%d","status":0}`, `{"id":[%d],"status":0}`,
		`{"id":null,"status":%d}`, `[%d]`, `[-2,"never %d"]`, `{"id":%d,"status":"zero"}`, `{"status":%d}`, `[0,%d]`, `[]`, `[%d.5]`, `[1e300]`,
		`[9223372036854775807]`, `[-%d]`,
	}
	repeat(ctx, 8, func(ctx context.Context, i int) error {
		more := object{}
		if i%2 == 0 {
			more["signals"] = 1024
		}
		c, err := t.hello(ctx, more)
		if err != nil {
			return err
		}
		defer c.Close()
		go c.drain()
		for n := 0; ; n++ {
			lie := lies[(n/100+i)%len(lies)]
			if strings.Contains(lie, "%d") {
				lie = fmt.Sprintf(lie, n)
			}
			if err := c.put([]byte(lie + "\n")); err != nil {
				return err
			}
		}
	})
}

// routes sends signals on routes that do not exist, on routes of others, and on new routes with long names in each signal.
func routes(ctx context.Context, t *target) {
	long := strings.Repeat("r", 250)
	repeat(ctx, 8, func(ctx context.Context, i int) error {
		c, err := t.hello(ctx, object{"signals": 1024})
		if err != nil {
			return err
		}
		defer c.Close()
		go c.drain()
		for n := 0; ; n++ {
			packets := []string{
				fmt.Sprintf(`[%d,1]`, n%2000), fmt.Sprintf(`[[%d,%q,%q],1]`, n%1024, goodSender, tick),
				fmt.Sprintf(`[[%d,"%s%d","%[2]s"],%[4]d]`, n%1024, long, n, n), `[-1,0]`, `[[5000,"a","b"],1]`, `[["0","a","b"],1]`, `[[0],1]`,
				`[[0,"a","b",9],1,-1,-1,-1]`, `[1.5,1]`, `[0,1,99999999999999999999,1,1]`,
			}
			if err := c.put([]byte(packets[(n/64+i)%len(packets)] + "\n")); err != nil {
				return err
			}
		}
	})
}
