//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sighub/carrier/tcp"
	"sighub/scripts/internal/program"
)

// patience bounds each wait for a device.
const patience = 30 * time.Second

// A hubProcess is the real program.
type hubProcess struct {
	*program.Hub
	remove func()
}

// hubOptions are what a measurement wants of a hub. Everything else has its default.
type hubOptions struct {
	state  string   // folder, in which the journal is
	serial []string // ports
	config string   // more lines of the configuration
	under  []string // a command that starts it
}

// startHub starts a hub and waits until it accepts a connection.
func (b *bench) startHub(ctx context.Context, o hubOptions) (*hubProcess, error) {
	path, remove, err := sock()
	if err != nil {
		return nil, err
	}
	addr, dir := "unix://"+path, filepath.Dir(path)
	file := filepath.Join(dir, "hub.yaml")
	config := fmt.Sprintf("listen: [%q]\nstate: %q\n%s", addr, o.state, o.config)
	if len(o.serial) == 0 {
		config += "serial: []\n"
	}
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	args := append(append([]string(nil), o.under...), b.hub, "run", "--config", file)
	for _, port := range o.serial {
		args = append(args, "--serial", port)
	}
	h, err := program.Start(ctx, addr, filepath.Join(dir, "hub.log"), args...)
	if err != nil {
		return nil, err
	}
	return &hubProcess{h, remove}, nil
}

// stop ends the hub as the system does.
func (h *hubProcess) stop() {
	h.Stop()
	h.remove()
}

// kill ends it with no word of warning.
func (h *hubProcess) kill() {
	h.Kill()
	h.remove()
}

// resident returns its resident memory in bytes.
func (h *hubProcess) resident() (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.PID()))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(b), "\nVmRSS:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0, errors.New("the system does not tell how much memory the hub has")
	}
	kB, err := strconv.ParseFloat(fields[0], 64)
	return kB * 1024, err
}

type client = program.Client

// client connects.
func (h *hubProcess) client(ctx context.Context) (*client, error) {
	return h.Client(ctx, tcp.ClientOptions{})
}

// useUp uses up what small commits may write in a burst, one event at a time, until the hub takes its time. What is measured then
// goes on for days.
func (h *hubProcess) useUp(ctx context.Context) error {
	c, err := h.client(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	s, err := c.Signal(ctx, "burst", "number")
	if err != nil {
		return err
	}
	const most = 50_000
	late := 0
	for n := range most {
		start := time.Now()
		if err := s.Trigger(ctx, n); err != nil {
			return err
		}
		if time.Since(start) < 300*time.Millisecond {
			late = 0
		} else if late++; late == 3 {
			return nil
		}
	}
	return fmt.Errorf("the hub has committed %d events one by one, and is not tired of it", most)
}
