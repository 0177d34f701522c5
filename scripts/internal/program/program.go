//go:build linux

// Package program runs the real program for measurements: a hub as a process of its own, and clients of it.
package program

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"sighub/carrier/tcp"
	"sighub/hub"
)

// Patience bounds each wait for a hub, and each request to it.
const Patience = 2 * time.Minute

// endPatience is how long a hub may take to end.
const endPatience = 30 * time.Second

// A Hub is the real program.
type Hub struct {
	Addr    string        // tcp://HOST:PORT or unix://PATH
	Started time.Duration // from its start to the first connection that it accepted
	cmd     *exec.Cmd
	log     string // file
	exited  chan struct{}
}

// Start runs a command, which is that of a hub that listens at an address, and waits until it accepts a connection. Its log goes to a
// file.
func Start(ctx context.Context, addr, log string, command ...string) (*Hub, error) {
	h := &Hub{Addr: addr, log: log, cmd: exec.Command(command[0], command[1:]...), exited: make(chan struct{})}
	file, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // the child has its own
	h.cmd.Stdout, h.cmd.Stderr = file, file
	h.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	began := time.Now()
	if err := h.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = h.cmd.Wait() // its log says how it ended
		close(h.exited)
	}()
	network, at, _ := strings.Cut(addr, "://")
	for {
		c, err := net.DialTimeout(network, at, time.Second)
		if err == nil {
			h.Started = time.Since(began)
			return h, c.Close()
		}
		select {
		case <-h.exited:
			return nil, fmt.Errorf("the hub ended: %s", h.Said())
		case <-ctx.Done():
			h.Stop()
			return nil, ctx.Err()
		case <-time.After(200 * time.Microsecond): // what times are rounded up to
		}
		if time.Since(began) > Patience {
			h.Stop()
			return nil, fmt.Errorf("the hub does not listen: %s", h.Said())
		}
	}
}

// PID returns the number of its process.
func (h *Hub) PID() int { return h.cmd.Process.Pid }

// Kill ends the hub with no word of warning.
func (h *Hub) Kill() { h.end(syscall.SIGKILL) }

// Stop ends the hub as the system does.
func (h *Hub) Stop() { h.end(syscall.SIGTERM) }

func (h *Hub) end(how syscall.Signal) {
	_ = h.cmd.Process.Signal(how) // it fails if the process has ended
	select {
	case <-h.exited:
	case <-time.After(endPatience):
		_ = h.cmd.Process.Kill() // likewise
		<-h.exited
	}
}

// Said returns the end of its log.
func (h *Hub) Said() string {
	b, err := os.ReadFile(h.log)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-2000):])
}

// A Client is one connection to a hub.
type Client struct {
	*hub.ClientRouter
	stop    context.CancelFunc
	serving sync.WaitGroup
}

// Client connects.
func (h *Hub) Client(ctx context.Context, o tcp.ClientOptions) (*Client, error) {
	c := &Client{ClientRouter: hub.NewClientRouter(hub.ClientOptions{RequestTimeout: Patience})}
	var serving context.Context
	serving, c.stop = context.WithCancel(context.Background())
	c.serving.Go(func() { _ = c.Serve(serving, tcp.NewClient(h.Addr, o)) }) // a client carrier never fails for good
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	if err := c.WaitConnected(ctx); err != nil {
		c.Close()
		return nil, errors.Join(err, errors.New(h.Said()))
	}
	return c, nil
}

// Close ends the connection.
func (c *Client) Close() {
	c.stop()
	c.serving.Wait()
}

// Signal adds a sender with one event.
func (c *Client) Signal(ctx context.Context, sender, event string) (*hub.Signal, error) {
	s, err := c.AddRemoteSender(ctx, sender, hub.SenderOptions{Events: []string{event}})
	if err != nil {
		return nil, err
	}
	return s.Signal(event)
}
