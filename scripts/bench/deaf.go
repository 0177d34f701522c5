package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"sighub/scripts/bench/peers"
)

// A deafListener is a client that subscribes and then reads nothing, like a program that hangs: the buffers of the kernel and the outbox
// of the hub fill up. It uses a plain socket, because the clients of the library always read. It says hello in JSON.
type deafListener struct {
	c   net.Conn
	in  *json.Decoder
	out *json.Encoder

	heard  uint64 // events
	missed uint64 // events that a #gap has counted
}

// A deafMessage is a message that it reads, or a reply to its own message.
type deafMessage struct {
	ID        json.RawMessage `json:"id"`
	Status    int             `json:"status"`
	Exception string          `json:"exception"`
	Method    string          `json:"method"`
	Params    struct {
		Info struct {
			Event string `json:"event"`
		} `json:"info"`
		Data json.RawMessage `json:"data"`
	} `json:"params"`
}

// deafWindow is small, so that events wait in the outbox of the hub.
const deafWindow = 64

func newDeafListener(addr, sender, event string) (*deafListener, error) {
	c, err := net.DialTimeout("tcp", addr, peers.Patience)
	if err != nil {
		return nil, err
	}
	d := &deafListener{c: c, in: json.NewDecoder(c), out: json.NewEncoder(c)}
	err = c.SetDeadline(time.Now().Add(peers.Patience))
	if err == nil {
		err = d.ask("hello", map[string]any{"protocol": 1, "name": "deaf", "window": deafWindow})
	}
	if err == nil {
		err = d.ask("add_listener", map[string]any{"sender": sender, "event": event})
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return d, nil
}

func (d *deafListener) close() { _ = d.c.Close() }

func (d *deafListener) ask(method string, params any) error {
	if err := d.out.Encode(map[string]any{"id": 1, "method": method, "params": params}); err != nil {
		return err
	}
	var answer deafMessage
	if err := d.in.Decode(&answer); err != nil {
		return err
	}
	if answer.Method != "" || answer.Status != 0 {
		return fmt.Errorf("%s is answered with %q, status %d, %s", method, answer.Method, answer.Status, answer.Exception)
	}
	return nil
}

// catchUp reads until it has heard of so many events, or until the hub has hung up, and returns which of them it was.
func (d *deafListener) catchUp(ctx context.Context, events uint64, toTheEnd bool) (hungUp bool, err error) {
	if err := d.c.SetDeadline(time.Now().Add(peers.Patience)); err != nil {
		return false, err
	}
	for d.heard+d.missed < events || toTheEnd {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		var m deafMessage
		err := d.in.Decode(&m)
		if err == nil {
			err = d.take(&m)
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
			return true, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return false, fmt.Errorf("the listener has heard %d events and missed %d, of %d, and nothing more comes", d.heard, d.missed, events)
		default:
			return false, err
		}
	}
	return false, nil
}

func (d *deafListener) take(m *deafMessage) error {
	switch {
	case m.Method != "signal":
		return fmt.Errorf("the hub says %q, status %d, to a listener", m.Method, m.Status)
	case m.Params.Info.Event == "#gap":
		var gap struct {
			Count uint64 `json:"count"`
		}
		if err := json.Unmarshal(m.Params.Data, &gap); err != nil {
			return err
		}
		d.missed += gap.Count
	default:
		d.heard++
	}
	return d.out.Encode(map[string]any{"id": m.ID, "status": 0})
}
