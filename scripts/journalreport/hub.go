//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"sighub/carrier/tcp"
	"sighub/hub"
)

// patience bounds each wait for a hub or a device.
const patience = 30 * time.Second

// A hubProcess is the real program.
type hubProcess struct {
	cmd     *exec.Cmd
	addr    string
	log     string        // file
	started time.Duration // from its start to the first connection that it accepted
	exited  chan struct{}
	remove  func()
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
	h := &hubProcess{addr: "unix://" + path, exited: make(chan struct{}), remove: remove}
	dir := filepath.Dir(path)
	h.log = filepath.Join(dir, "hub.log")
	file := filepath.Join(dir, "hub.yaml")
	config := fmt.Sprintf("listen: [%q]\nstate: %q\n%s", h.addr, o.state, o.config)
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
	log, err := os.Create(h.log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the child has its own
	h.cmd = exec.Command(args[0], args[1:]...)
	h.cmd.Stdout, h.cmd.Stderr = log, log
	h.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	start := time.Now()
	if err := h.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = h.cmd.Wait() // its log says how it ended
		close(h.exited)
	}()
	for {
		c, err := dialUnix(path)
		if err == nil {
			h.started = time.Since(start)
			return h, c.Close()
		}
		select {
		case <-h.exited:
			return nil, fmt.Errorf("the hub ended: %s", h.said())
		case <-ctx.Done():
			h.stop()
			return nil, ctx.Err()
		case <-time.After(200 * time.Microsecond):
		}
		if time.Since(start) > patience {
			h.stop()
			return nil, fmt.Errorf("the hub does not listen: %s", h.said())
		}
	}
}

// stop ends the hub as the system does.
func (h *hubProcess) stop() {
	_ = h.cmd.Process.Signal(syscall.SIGTERM) // it fails if the process has ended
	select {
	case <-h.exited:
	case <-time.After(patience):
		_ = h.cmd.Process.Kill() // likewise
		<-h.exited
	}
	h.remove()
}

// said returns the end of its log.
func (h *hubProcess) said() string {
	b, err := os.ReadFile(h.log)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-2000):])
}

// resident returns its resident memory in bytes.
func (h *hubProcess) resident() (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.cmd.Process.Pid))
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

// A client is one connection to a hub.
type client struct {
	*hub.ClientRouter
	stop    context.CancelFunc
	serving sync.WaitGroup
}

// client connects.
func (h *hubProcess) client(ctx context.Context) (*client, error) {
	c := &client{ClientRouter: hub.NewClientRouter(hub.ClientOptions{RequestTimeout: patience})}
	var serving context.Context
	serving, c.stop = context.WithCancel(context.Background())
	c.serving.Go(func() { _ = c.Serve(serving, tcp.NewClient(h.addr, tcp.ClientOptions{})) }) // a client carrier never fails for good
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := c.WaitConnected(ctx); err != nil {
		c.close()
		return nil, errors.Join(err, errors.New(h.said()))
	}
	return c, nil
}

func (c *client) close() {
	c.stop()
	c.serving.Wait()
}

// signal adds a sender with one event.
func (c *client) signal(ctx context.Context, sender, event string) (*hub.Signal, error) {
	s, err := c.AddRemoteSender(ctx, sender, hub.SenderOptions{Events: []string{event}})
	if err != nil {
		return nil, err
	}
	return s.Signal(event)
}

// useUp uses up what small commits may write in a burst, one event at a time, until the hub takes its time. What is measured then
// goes on for days.
func (h *hubProcess) useUp(ctx context.Context) error {
	c, err := h.client(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	s, err := c.signal(ctx, "burst", "number")
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
