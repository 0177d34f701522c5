//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"sighub/carrier/tcp"
	"sighub/hub"
)

// A crowd has many clients, each with one listener.
type crowd struct {
	hub     *hubProcess
	clients []*client
	secure  bool
	heard   atomic.Int64 // by all of them
	want    int64
	all     chan struct{}
}

func (c *crowd) close() {
	_ = each(len(c.clients), func(i int) error { c.clients[i].Close(); return nil }) // it never fails
}

// over has a client speak TLS, without asking who the hub is.
func (h *hubProcess) over(o *tcp.ClientOptions) {
	o.Dial = func(context.Context) (net.Conn, error) {
		return tls.Dial("tcp", h.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{tcp.ALPN}}) //nolint:gosec // it is our own hub
	}
}

// grow adds clients until there are n, which listen to "common".
func (c *crowd) grow(ctx context.Context, n int) error {
	var more []func(*tcp.ClientOptions)
	if c.secure {
		more = append(more, c.hub.over)
	}
	first := len(c.clients)
	c.clients = append(c.clients, make([]*client, n-first)...)
	err := each(n-first, func(i int) error {
		cl, err := c.hub.client(ctx, more...)
		if err != nil {
			return err
		}
		c.clients[first+i] = cl
		_, err = cl.AddRemoteListener(ctx, "common", reading, func(hub.Event) {
			if c.heard.Add(1) == c.want {
				c.all <- struct{}{}
			}
		})
		return err
	})
	if err != nil {
		c.clients = nil // some of them are not there; the process ends
	}
	return err
}

// tell triggers events, all of which the whole crowd is to hear, and waits for that.
func (c *crowd) tell(ctx context.Context, s *hub.Signal, events int) error {
	c.heard.Store(0)
	c.want = int64(events * len(c.clients))
	for i := range events {
		if err := s.TriggerAsync(ctx, i, nil); err != nil {
			return err
		}
	}
	select {
	case <-c.all:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(patience):
		return fmt.Errorf("%d of %d events were heard", c.heard.Load(), c.want)
	}
}

// listeners measures a hub with more and more clients that listen.
func listeners(ctx context.Context, l *lab) error {
	return measureListeners(ctx, l, "listeners", l.sizes(100, 10_000), false)
}

// secureListeners measures the same over TLS.
func secureListeners(ctx context.Context, l *lab) error {
	return measureListeners(ctx, l, "listeners over TLS", l.sizes(10, 1000), true)
}

func measureListeners(ctx context.Context, l *lab, part string, sizes []int, secure bool) error {
	state, err := l.folder()
	if err != nil {
		return err
	}
	h, err := l.start(ctx, state, "journal: off\nserial: []\n")
	if err != nil {
		return err
	}
	defer h.Stop()
	if err := l.settle(ctx); err != nil {
		return err
	}
	empty := h.resident()
	c := &crowd{hub: h, secure: secure, all: make(chan struct{}, 1)}
	defer c.close()
	teller, err := h.client(ctx)
	if err != nil {
		return err
	}
	defer teller.Close()
	common, err := teller.Signal(ctx, "common", reading)
	if err != nil {
		return err
	}
	alone, err := teller.Signal(ctx, "alone", reading)
	if err != nil {
		return err
	}
	for _, n := range sizes {
		note := func(name, unit string, must, least, value float64) {
			l.report.add(kind{part, name, unit, "listeners", must, least}, n, value)
		}
		former, before := len(c.clients), h.used()
		if err := c.grow(ctx, n); err != nil {
			return err
		}
		note("connect and listen: the hub's time for each", "µs", 0, 200, us(h.used().since(before).cpu)/float64(n-former))
		if err := h.calm(ctx); err != nil {
			return err
		}
		if n >= enough {
			note("memory of each, idle", "KB", 0, 1, max(h.resident()-empty, 0)/1024/float64(n))
		}
		p := &listenerProbe{hub: h, secure: secure, crowd: c, note: note}
		if err := errors.Join(p.alone(ctx, alone), p.common(ctx, common), p.comeAndGo(ctx), p.list(ctx, teller)); err != nil {
			return fmt.Errorf("%d listeners: %w", n, err)
		}
		u, err := h.idle(ctx, l.idleSpan())
		if err != nil {
			return err
		}
		note("idle: the hub's time in a second", "ms", 0, 1, ms(u.cpu))
		note("idle: wake-ups in a second", "", 0, 20, u.wakes)
		fmt.Fprintf(l.log, "%d %s\n", n, part)
	}
	return nil
}

// A listenerProbe measures what one more client experiences while there are many listeners.
type listenerProbe struct {
	hub    *hubProcess
	secure bool
	crowd  *crowd
	note   func(name, unit string, must, least, value float64)
}

func (p *listenerProbe) client(ctx context.Context) (*client, error) {
	if p.secure {
		return p.hub.client(ctx, p.hub.over)
	}
	return p.hub.client(ctx)
}

// alone measures an event to one listener, while the others listen to something else.
func (p *listenerProbe) alone(ctx context.Context, s *hub.Signal) error {
	c, err := p.client(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	heard := make(chan struct{}, 1)
	if _, err := c.AddRemoteListener(ctx, "alone", reading, func(hub.Event) { heard <- struct{}{} }); err != nil {
		return err
	}
	wall, cpu, err := p.hub.repeat(500, func(i int) error {
		err := s.TriggerAsync(ctx, i, nil)
		<-heard
		return err
	})
	p.note("an event to one, while the others listen to something else", "µs", 0, 50, us(wall))
	p.note("the hub's time for that", "µs", 0, 30, us(cpu))
	return err
}

// common measures events that all hear.
func (p *listenerProbe) common(ctx context.Context, s *hub.Signal) error {
	n := len(p.crowd.clients)
	wall, cpu, err := p.hub.repeat(min(max(3, 30_000/n), 300), func(int) error { return p.crowd.tell(ctx, s, 1) })
	p.note("an event that all hear: the hub's time for each listener", "µs", 0, 10, us(cpu)/float64(n))
	p.note("an event that all hear, until the last one has heard it", "ms", 1, 0.05, ms(wall))
	return err
}

// comeAndGo has one more client come, listen, stop listening and go.
func (p *listenerProbe) comeAndGo(ctx context.Context) error {
	wall, cpu, err := p.hub.repeat(30, func(int) error {
		c, err := p.client(ctx)
		if err != nil {
			return err
		}
		defer c.Close()
		l, err := c.AddRemoteListener(ctx, "common", reading, func(hub.Event) {})
		if err != nil {
			return err
		}
		return c.RemoveRemoteListener(ctx, l)
	})
	p.note("one more connects, listens, stops listening and goes", "µs", 0, 500, us(wall))
	p.note("the hub's time for one more", "µs", 0, 200, us(cpu))
	return err
}

// list lists all clients.
func (p *listenerProbe) list(ctx context.Context, c *client) error {
	wall, cpu, err := p.hub.repeat(3, func(int) error {
		list, err := c.RemoteClients(ctx)
		if n := len(p.crowd.clients); err == nil && len(list.Clients) < n {
			err = fmt.Errorf("%d of %d clients are listed", len(list.Clients), n)
		}
		return err
	})
	p.note("list all clients", "ms", 1, 0.5, ms(wall))
	p.note("list all clients: the hub's time", "ms", 1, 0.5, ms(cpu))
	return err
}
