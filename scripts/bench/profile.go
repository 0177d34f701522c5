package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"sighub/scripts/bench/peers"
)

// profiled returns the peer to run: a hub that can be profiled, if a profile is asked for.
func (e *env) profiled(p peers.Peer) peers.Peer {
	if h, ok := p.(*peers.Sighub); ok && e.profile != "" {
		h.Profiled = true
	}
	return p
}

// startProfile profiles the hub for this long, in the background. done waits until that has ended.
func (e *env) startProfile(span time.Duration) (done func() error) {
	if e.profile == "" {
		return func() error { return nil }
	}
	result := make(chan error, 1)
	go func() { result <- e.fetchProfile(span) }()
	return func() error { return <-result }
}

func (e *env) fetchProfile(span time.Duration) error {
	client := http.Client{
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", e.Profile)
		}},
		Timeout: span + peers.Patience,
	}
	defer client.CloseIdleConnections()
	seconds := max(1, int(span.Seconds()))
	answer, err := client.Get(fmt.Sprintf("http://hub/debug/pprof/profile?seconds=%d", seconds))
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	defer answer.Body.Close() //nolint:errcheck // it was read
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("profile: %s", answer.Status)
	}
	file, err := os.Create(e.profile)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, answer.Body)
	return errors.Join(err, file.Close())
}
