package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// A monitor speaks QEMU's machine protocol: JSON objects, one command at a time, with events in between.
type monitor struct {
	conn io.ReadWriteCloser
	in   *json.Decoder

	commands sync.Mutex // held for the length of a command
	replies  chan qmpLine
	ended    chan struct{} // closed at the end of the connection, after err is set

	err error // why the connection ended

	deleted sync.Map // by the id of a device: a chan struct{}, closed when it is gone
}

type qmpLine struct {
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Class string `json:"class"`
		Desc  string `json:"desc"`
	} `json:"error"`
	Event string `json:"event"`
	Data  struct {
		Device string `json:"device"`
	} `json:"data"`
}

// newMonitor returns a monitor on the connection, after negotiating capabilities.
func newMonitor(ctx context.Context, conn io.ReadWriteCloser) (*monitor, error) {
	m := &monitor{
		conn: conn, in: json.NewDecoder(conn),
		replies: make(chan qmpLine, 1), ended: make(chan struct{}),
	}
	var greeting struct{ QMP json.RawMessage }
	if err := m.in.Decode(&greeting); err != nil || greeting.QMP == nil {
		return nil, fmt.Errorf("qmp: no greeting: %w", err)
	}
	go m.read()
	return m, m.do(ctx, "qmp_capabilities", map[string]any{})
}

// read runs until the connection ends.
func (m *monitor) read() {
	defer close(m.ended)
	for {
		var l qmpLine
		if err := m.in.Decode(&l); err != nil {
			m.err = fmt.Errorf("qmp: %w", err)
			return
		}
		switch {
		case l.Event == "DEVICE_DELETED":
			if gone, ok := m.deleted.LoadAndDelete(l.Data.Device); ok {
				close(gone.(chan struct{}))
			}
		case l.Event != "":
		default:
			m.replies <- l
		}
	}
}

// do executes a command.
func (m *monitor) do(ctx context.Context, command string, arguments map[string]any) error {
	m.commands.Lock()
	defer m.commands.Unlock()
	line, err := json.Marshal(map[string]any{"execute": command, "arguments": arguments})
	if err != nil {
		return err
	}
	if _, err := m.conn.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("qmp: %s: %w", command, err)
	}
	select {
	case r := <-m.replies:
		if r.Error != nil {
			return fmt.Errorf("qmp: %s: %s", command, r.Error.Desc)
		}
		return nil
	case <-m.ended:
		return errors.Join(fmt.Errorf("qmp: %s: QEMU has ended", command), m.err)
	case <-ctx.Done():
		return fmt.Errorf("qmp: %s: no answer: %w", command, context.Cause(ctx))
	}
}

// remove removes a device, and returns when the machine no longer has it.
func (m *monitor) remove(ctx context.Context, id string) error {
	gone := make(chan struct{})
	m.deleted.Store(id, gone)
	if err := m.do(ctx, "device_del", map[string]any{"id": id}); err != nil {
		return err
	}
	select {
	case <-gone:
		return nil
	case <-m.ended:
		return m.err
	case <-ctx.Done():
		return fmt.Errorf("qmp: %s is still there: %w", id, context.Cause(ctx))
	}
}
