package main

import (
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sighub/scripts/bench/peers"
	"sighub/scripts/bench/results"
)

func TestPercentile(t *testing.T) {
	var v []time.Duration
	for i := range 1000 {
		v = append(v, time.Duration(999-i))
	}
	for p, want := range map[float64]time.Duration{0: 0, 0.5: 500, 0.99: 990, 0.999: 999, 1: 999} {
		if got := percentile(v, p); got != want {
			t.Errorf("the percentile %v is %d, want %d", p, got, want)
		}
	}
}

// programOf returns the program that a peer of this name runs.
func programOf(name string) string {
	if strings.HasPrefix(name, peers.NATS) {
		return "nats-server"
	}
	name, _, _ = strings.Cut(name, "-")
	return name
}

// Every promise is about a figure of a case, and every case and peer is known.
func TestCasesAreConsistent(t *testing.T) {
	known := make(map[string]bool)
	for _, c := range allCases() {
		known[c.name] = true
		for _, name := range c.peers {
			p, err := peers.New(name)
			if err != nil {
				t.Errorf("%s: peer %s: %v", c.name, name, err)
				continue
			}
			command, err := p.Command(&peers.Place{Tmp: t.TempDir(), Disk: t.TempDir()}, netip.AddrPort{})
			if err != nil {
				t.Fatal(err)
			}
			runs := slices.ContainsFunc(command, func(arg string) bool { return filepath.Base(arg) == programOf(name) })
			if hub, ok := p.(*peers.Sighub); !runs || ok && hub.JSON != strings.HasSuffix(name, "-json") {
				t.Errorf("%s: peer %s runs %q", c.name, name, command)
			}
		}
	}
	for _, name := range results.PromisedCases() {
		if !known[name] {
			t.Errorf("something is promised of %q, which is no case", name)
		}
	}
}
