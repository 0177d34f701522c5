//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sighub/access/identities"
	"sighub/carrier/tcp"
	"sighub/hub"
	"sighub/internal/guard"
)

// rules measures a hub with more and more rules, of which the last one allows what is done.
func rules(ctx context.Context, l *lab) error {
	for _, n := range l.sizes(100, 1000) {
		if err := measureRules(ctx, l, n); err != nil {
			return fmt.Errorf("%d rules: %w", n, err)
		}
		fmt.Fprintf(l.log, "%d rules\n", n)
	}
	return nil
}

func measureRules(ctx context.Context, l *lab, n int) error {
	note := func(name, unit string, must, least, value float64) {
		l.report.add(kind{"rules", name, unit, "rules", must, least}, n, value)
	}
	state, err := l.folder()
	if err != nil {
		return err
	}
	var text strings.Builder
	text.WriteString("roles:\n  some:\n")
	for i := range n {
		fmt.Fprintf(&text, "    - listen: {sender: \"other%d.*\", event: \"*\"}\n", i)
	}
	text.WriteString("    - add: {sender: \"*\"}\n")
	for _, verb := range []string{"trigger", "listen"} {
		fmt.Fprintf(&text, "    - %s: {sender: \"*\", event: \"*\"}\n", verb)
	}
	text.WriteString("identities: {one: some}\n")
	file := filepath.Join(state, "access.yaml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		return err
	}
	store, err := identities.Open(guard.Folder(state), identities.Options{})
	if err != nil {
		return err
	}
	token, err := store.AddToken("one", []string{"admin"}, "") // the rules say less
	if err := errors.Join(err, store.Close()); err != nil {
		return err
	}
	h, err := l.start(ctx, state, "journal: off\nserial: []\n", "--access", file)
	if err != nil {
		return err
	}
	defer h.Stop()
	note("start", "ms", 0, 50, ms(h.Started))
	known := func(o *tcp.ClientOptions) { o.Token = token }
	c, err := h.client(ctx, known)
	if err != nil {
		return err
	}
	defer c.Close()
	s, err := c.Signal(ctx, "meter", reading)
	if err != nil {
		return err
	}
	heard := make(chan struct{}, 1)
	if _, err := c.AddRemoteListener(ctx, "meter", reading, func(hub.Event) { heard <- struct{}{} }); err != nil {
		return err
	}
	wall, cpu, err := h.repeat(500, func(i int) error {
		err := s.TriggerAsync(ctx, i, nil)
		<-heard
		return err
	})
	note("an event", "µs", 0, 50, us(wall))
	note("an event: the hub's time", "µs", 0, 30, us(cpu))
	if err != nil {
		return err
	}
	_, cpu, err = h.repeat(200, func(i int) error {
		s, err := c.AddRemoteSender(ctx, fmt.Sprint("new", i), hub.SenderOptions{Events: []string{reading}})
		if err != nil {
			return err
		}
		l, err := c.AddRemoteListener(ctx, fmt.Sprint("new", i), reading, func(hub.Event) {})
		return errors.Join(err, c.RemoveRemoteSender(ctx, s), c.RemoveRemoteListener(ctx, l))
	})
	note("a sender and a listener come and go: the hub's time", "µs", 1, 100, us(cpu))
	return err
}

// cursors measures a hub that remembers more and more cursors, whose listeners are there.
func cursors(ctx context.Context, l *lab) error {
	state, err := l.folder()
	if err != nil {
		return err
	}
	h, err := l.start(ctx, state, "serial: []\n")
	if err != nil {
		return err
	}
	defer h.Stop()
	c, err := h.client(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	s, err := c.Signal(ctx, "meter", reading)
	if err != nil {
		return err
	}
	other, err := c.Signal(ctx, "other", reading)
	if err != nil {
		return err
	}
	heard := &crowd{all: make(chan struct{}, 1)}
	defer heard.close()
	sizes := []int{1, 4, 16, 64, 256}
	if l.quick {
		sizes = sizes[:3]
	}
	for _, n := range sizes {
		note := func(name, unit string, must, least, value float64) {
			l.report.add(kind{"cursors", name, unit, "cursors", must, least}, n, value)
		}
		for i := len(heard.clients); i < n; i++ {
			cl, err := h.client(ctx)
			if err != nil {
				return err
			}
			heard.clients = append(heard.clients, cl)
			if _, err := cl.AddRemoteListenerWith(ctx, "meter", reading, hub.ListenerOptions{Cursor: fmt.Sprint("cursor", i)}, func(hub.Event) {
				if heard.heard.Add(1) == heard.want {
					heard.all <- struct{}{}
				}
			}); err != nil {
				return err
			}
		}
		if err := h.calm(ctx); err != nil {
			return err
		}
		const events = 200
		before := h.used()
		if err := heard.tell(ctx, s, events); err != nil {
			return err
		}
		if err := h.calm(ctx); err != nil {
			return err
		}
		note("an event that all hear: the hub's time for each cursor", "µs", 0, 5, us(h.used().since(before).cpu)/float64(events*n))
		_, cpu, err := h.repeat(50, func(i int) error { return other.Trigger(ctx, i) })
		if err != nil {
			return err
		}
		note("an event to which none listens: the hub's time", "µs", 1, 100, us(cpu))
		u, err := h.idle(ctx, l.idleSpan())
		if err != nil {
			return err
		}
		note("idle: the hub's time in a second", "ms", 0, 1, ms(u.cpu))
		note("memory of the hub", "MB", 1, 10, h.resident()/(1<<20))
		fmt.Fprintf(l.log, "%d cursors\n", n)
	}
	return nil
}
