//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"time"
)

// object is a map in JSON.
type object = map[string]any

// A client is a connection of an attacker. It knows the protocol and keeps to it only as far as its user wants.
type client struct {
	*net.TCPConn
	target *target
	in     *bufio.Reader
	values *json.Decoder // of in
	id     int
	stop   func() bool // no longer closes the connection when the context ends
}

// dial connects from an address of the attackers' own, so that a hub can tell them from others. The connection is closed when
// ctx ends.
func (t *target) dial(ctx context.Context) (*client, error) {
	d := net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, t.source)}}
	conn, err := d.DialContext(ctx, "tcp", t.addr)
	if err != nil {
		return nil, err
	}
	t.connections.Add(1)
	c := &client{TCPConn: conn.(*net.TCPConn), target: t, in: bufio.NewReader(conn)}
	c.values = json.NewDecoder(c.in)
	c.stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
	return c, nil
}

// Close closes the connection.
func (c *client) Close() {
	c.stop()
	_ = c.TCPConn.Close() // it may be closed already
}

// put writes bytes, and gives up after 5 s: a hub need not read them.
func (c *client) put(b []byte) error {
	if err := c.SetWriteDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	n, err := c.Write(b)
	c.target.bytes.Add(int64(n))
	if err == nil {
		c.target.messages.Add(1)
	}
	return err
}

// send sends a message in JSON.
func (c *client) send(method string, params any) error {
	c.id++
	b, err := json.Marshal(object{"id": c.id, "method": method, "params": params})
	if err != nil {
		return err
	}
	return c.put(append(b, '\n'))
}

// A reply is a message from the hub, of either kind.
type reply struct {
	ID        json.RawMessage `json:"id"`
	Method    string          `json:"method"`
	Status    *int            `json:"status"`
	Exception string          `json:"exception"`
	Response  json.RawMessage `json:"response"`
}

// get reads the next message in JSON.
func (c *client) get(patience time.Duration) (*reply, error) {
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	r := new(reply)
	return r, c.values.Decode(r)
}

// call sends a message and waits for its reply. An exception is no error.
func (c *client) call(method string, params any) (*reply, error) {
	if err := c.send(method, params); err != nil {
		return nil, err
	}
	for {
		r, err := c.get(10 * time.Second)
		if err != nil || r.Method == "" && r.Status != nil && string(r.ID) == fmt.Sprint(c.id) {
			return r, err
		}
	}
}

// hello connects and says hello in JSON. Further params replace those of a friendly client.
func (t *target) hello(ctx context.Context, more object) (*client, error) {
	c, err := t.dial(ctx)
	if err != nil {
		return nil, err
	}
	params := object{"protocol": 1, "name": "siege", "window": 1024, "max_message": 1 << 20}
	if t.token != "" {
		params["token"] = t.token
	}
	maps.Copy(params, more)
	r, err := c.call("hello", params)
	if err == nil && *r.Status != 0 {
		err = fmt.Errorf("hello: %s", r.Exception)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// drain reads and forgets everything until the connection ends.
func (c *client) drain() {
	_ = c.SetReadDeadline(time.Time{}) // the connection is there, or the read fails
	b := make([]byte, 64<<10)
	for {
		if _, err := c.Read(b); err != nil {
			return
		}
	}
}

// deaf makes the buffer of the connection small, so that what is not read stays in the hub.
func (c *client) deaf() { _ = c.SetReadBuffer(2304) }

// hang waits until the hub closes the connection or ctx ends, and reads nothing.
func (c *client) hang(ctx context.Context) {
	raw, err := c.SyscallConn()
	for err == nil && ctx.Err() == nil && !hungUp(raw) {
		wait(ctx, 200*time.Millisecond)
	}
}
