//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"sighub/carrier"
	"sighub/hub"
)

const (
	ofClient = 1000     // senders of one client
	alarm    = "#alarm" // a channel
)

// senders measures a hub with more and more senders.
func senders(ctx context.Context, l *lab) error {
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
	var crowd []*client
	defer func() {
		for _, c := range crowd {
			c.Close()
		}
	}()
	have := 0
	for _, n := range l.sizes(1000, 100_000) {
		before := h.used()
		for have < n {
			c, err := h.client(ctx)
			if err != nil {
				return err
			}
			crowd = append(crowd, c)
			first, count := have, min(ofClient, n-have)
			if err := each(count, func(i int) error {
				_, err := c.Signal(ctx, fmt.Sprintf("sender%06d", first+i), reading)
				return err
			}); err != nil {
				return err
			}
			have += count
		}
		registered := h.used().since(before).cpu
		if err := h.calm(ctx); err != nil {
			return err
		}
		k := func(name, unit string, must, least float64) kind {
			return kind{"senders", name, unit, "senders", must, least}
		}
		l.report.add(k("register all of them: the hub's time", "ms", 1, 5), n, ms(registered))
		l.report.add(k("memory above that of an empty hub", "MB", 1, 4), n, (h.resident()-empty)/(1<<20))
		p := &senderProbe{lab: l, hub: h, n: n, kind: k}
		if err := p.run(ctx); err != nil {
			return fmt.Errorf("%d senders: %w", n, err)
		}
		fmt.Fprintf(l.log, "%d senders\n", n)
	}
	return nil
}

// A senderProbe measures what one more client experiences while there are many senders.
type senderProbe struct {
	lab  *lab
	hub  *hubProcess
	n    int
	kind func(name, unit string, must, least float64) kind
	c    *client
}

func (p *senderProbe) note(name, unit string, must, least, value float64) {
	p.lab.report.add(p.kind(name, unit, must, least), p.n, value)
}

func (p *senderProbe) run(ctx context.Context) error {
	var err error
	if p.c, err = p.hub.client(ctx); err != nil {
		return err
	}
	defer p.c.Close()
	return errors.Join(p.comeAndGo(ctx), p.list(ctx), p.hear(ctx), p.leave(ctx), p.idle(ctx))
}

// comeAndGo registers one more sender and removes it.
func (p *senderProbe) comeAndGo(ctx context.Context) error {
	wall, cpu, err := p.hub.repeat(300, func(int) error {
		s, err := p.c.AddRemoteSender(ctx, "probe", hub.SenderOptions{Events: []string{reading}})
		if err != nil {
			return err
		}
		return p.c.RemoveRemoteSender(ctx, s)
	})
	p.note("register one more and remove it", "µs", 0, 50, us(wall))
	p.note("register one more and remove it: the hub's time", "µs", 0, 30, us(cpu))
	return err
}

// list lists all senders, and one of them after a change.
func (p *senderProbe) list(ctx context.Context) error {
	all := 0
	wall, cpu, err := p.hub.repeat(3, func(int) error {
		list, err := p.c.RemoteSenders(ctx)
		all = len(list)
		return err
	})
	if err == nil && all < p.n {
		err = fmt.Errorf("%d of %d senders are listed", all, p.n)
	}
	p.note("list all", "ms", 1, 0.5, ms(wall))
	p.note("list all: the hub's time", "ms", 1, 0.5, ms(cpu))
	if err != nil {
		return err
	}
	_, both, err := p.hub.repeat(20, func(int) error {
		s, err := p.c.AddRemoteSender(ctx, "another", hub.SenderOptions{Events: []string{reading}})
		if err != nil {
			return err
		}
		_, err = p.c.Call(ctx, "list_senders", carrier.Object{{Key: "limit", Value: 1}})
		return errors.Join(err, p.c.RemoveRemoteSender(ctx, s))
	})
	p.note("list one after another has come: the hub's time", "µs", 0, 100, us(both))
	return err
}

// hear measures one event, heard by each kind of listener, and what it takes to become one.
func (p *senderProbe) hear(ctx context.Context) error {
	s, err := p.c.AddRemoteSender(ctx, "heard", hub.SenderOptions{Events: []string{reading, alarm}})
	if err != nil {
		return err
	}
	for _, k := range []struct{ what, sender, event, of string }{
		{"its event", "heard", reading, reading}, {"all events of its sender", "heard", "", reading}, {"a channel", "", alarm, alarm},
		{"everything", "", "", reading},
	} {
		signal, err := s.Signal(k.of)
		if err != nil {
			return err
		}
		_, subscribing, err := p.hub.repeat(100, func(int) error {
			l, err := p.c.AddRemoteListener(ctx, k.sender, k.event, func(hub.Event) {})
			if err != nil {
				return err
			}
			return p.c.RemoveRemoteListener(ctx, l)
		})
		p.note("listen to "+k.what+" and no more: the hub's time", "µs", 0, 30, us(subscribing))
		if err != nil {
			return err
		}
		heard := make(chan struct{}, 1)
		listener, err := p.c.AddRemoteListener(ctx, k.sender, k.event, func(ev hub.Event) {
			if ev.Name == k.of {
				heard <- struct{}{}
			}
		})
		if err != nil {
			return err
		}
		wall, cpu, err := p.hub.repeat(300, func(i int) error {
			err := signal.TriggerAsync(ctx, i, nil)
			<-heard
			return err
		})
		p.note("an event, to who listens to "+k.what, "µs", 0, 50, us(wall))
		p.note("an event, to who listens to "+k.what+": the hub's time", "µs", 0, 30, us(cpu))
		if err := errors.Join(err, p.c.RemoveRemoteListener(ctx, listener)); err != nil {
			return err
		}
	}
	return p.c.RemoveRemoteSender(ctx, s)
}

// leave has a client leave with as many senders as there are, while ten others listen.
func (p *senderProbe) leave(ctx context.Context) error {
	const others, most = 10, 10_000
	if p.n > most {
		return nil
	}
	var heard atomic.Int64
	all := make(chan struct{}, 1)
	var listeners []*client
	defer func() {
		for _, c := range listeners {
			c.Close()
		}
	}()
	for range others {
		c, err := p.hub.client(ctx)
		if err != nil {
			return err
		}
		listeners = append(listeners, c)
		if _, err := c.AddRemoteListener(ctx, "", hub.Disconnect, func(hub.Event) {
			if heard.Add(1) == int64(others*p.n) {
				all <- struct{}{}
			}
		}); err != nil {
			return err
		}
	}
	c, err := p.hub.client(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := each(p.n, func(i int) error {
		_, err := c.Signal(ctx, fmt.Sprintf("leaver%06d", i), reading)
		return err
	}); err != nil {
		return err
	}
	if err := p.hub.calm(ctx); err != nil {
		return err
	}
	before, began := p.hub.used(), time.Now()
	c.Close()
	select {
	case <-all:
	case <-time.After(patience):
		return fmt.Errorf("ten listeners have heard %d of %d senders leave", heard.Load(), others*p.n)
	}
	p.note("one client leaves with as many, ten listen", "ms", 1, 1, ms(time.Since(began)))
	p.note("one client leaves with as many, ten listen: the hub's time", "ms", 1, 1, ms(p.hub.used().since(before).cpu))
	return nil
}

func (p *senderProbe) idle(ctx context.Context) error {
	u, err := p.hub.idle(ctx, p.lab.idleSpan())
	p.note("idle: the hub's time in a second", "ms", 0, 1, ms(u.cpu))
	p.note("idle: wake-ups in a second", "", 0, 20, u.wakes)
	return err
}

// idleSpan is for how long an idle hub is watched.
func (l *lab) idleSpan() time.Duration {
	if l.quick {
		return time.Second / 2
	}
	return 5 * time.Second
}
