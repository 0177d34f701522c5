package main

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"
)

// qemu is the other end of a monitor's connection: it answers each command with the lines that answer returns.
func qemu(t *testing.T, answer func(command string) []string) (*monitor, error) {
	ours, theirs := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer theirs.Close()
		say := func(line string) { _, _ = theirs.Write([]byte(line + "\n")) }
		say(`{"QMP": {"version": {}, "capabilities": []}}`)
		for lines := bufio.NewScanner(theirs); lines.Scan(); {
			var c struct{ Execute string }
			if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
				t.Error(err)
			}
			all := answer(c.Execute)
			for _, line := range all {
				say(line)
			}
			if all == nil {
				return
			}
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	m, err := newMonitor(ctx, ours)
	t.Cleanup(func() {
		ours.Close()
		<-done
		if m != nil {
			<-m.ended
		}
	})
	return m, err
}

func TestMonitor(t *testing.T) {
	gone := `{"event": "DEVICE_DELETED", "data": {"device": "a.1", "path": "/x"}}`
	m, err := qemu(t, func(command string) []string {
		switch command {
		case "device_del":
			return []string{gone, `{"return": {}}`, gone}
		case "device_add":
			return []string{`{"event": "OTHER"}`, `{"error": {"class": "GenericError", "desc": "no such port"}}`}
		case "quit":
			return nil
		default:
			return []string{`{"return": {}}`}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if err := m.do(ctx, "device_add", map[string]any{"id": "a.1"}); err == nil || !strings.Contains(err.Error(), "no such port") {
		t.Errorf("device_add: %v", err)
	}
	if err := m.remove(ctx, "a.1"); err != nil {
		t.Errorf("remove: %v", err)
	}
	if err := m.do(ctx, "quit", nil); err == nil || !strings.Contains(err.Error(), "QEMU has ended") {
		t.Errorf("after the end: %v", err)
	}
}
