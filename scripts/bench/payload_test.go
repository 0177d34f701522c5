package main

import (
	"math"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestPayload(t *testing.T) {
	p := make([]byte, payloadSize)
	for _, v := range []uint32{0, 1, 0x12345678, math.MaxUint32} {
		at := time.Duration(v) * 1_000_003
		writePayload(p, v, ^v, at)
		sender, seq, got, ok := readPayload(p)
		if !ok || sender != v || seq != ^v || got != at {
			t.Errorf("%d comes back as %d, %d, %d, %t", v, sender, seq, got, ok)
		}
		if q := strconv.Quote(string(p)); q != `"`+string(p)+`"` {
			t.Errorf("%s is not plain text", q)
		}
	}
}

func FuzzReadPayload(f *testing.F) {
	p := make([]byte, payloadSize)
	writePayload(p, 1, 2, 3)
	f.Add(p)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, p []byte) {
		sender, seq, at, ok := readPayload(p)
		if !ok {
			return
		}
		q := make([]byte, payloadSize)
		writePayload(q, sender, seq, at)
		if string(q) != string(p) {
			t.Errorf("%q is read as what is written %q", p, q)
		}
	})
}

func TestStatistics(t *testing.T) {
	for _, c := range []struct {
		of   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 2, 9}, 3}} {
		if got := median(c.of); got != c.want {
			t.Errorf("the median of %v is %v, want %v", c.of, got, c.want)
		}
	}
	var v []time.Duration
	for i := range 1000 {
		v = append(v, time.Duration(999-i))
	}
	for p, want := range map[float64]time.Duration{0: 0, 0.5: 500, 0.99: 990, 0.999: 999, 1: 999} {
		if got := percentile(v, p); got != want {
			t.Errorf("the percentile %v is %d, want %d", p, got, want)
		}
	}
	for v, want := range map[float64]string{
		0: "0", 8: "8", 0.7: "0.70", 0.0349: "0.0349", 12.34: "12.3", 123.4: "123", 1234.4: "1234", 49_300: "49.3k", 1_410_000: "1.41M",
	} {
		if got := short(v); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
}

// Ratios are of figures of the same round.
func TestRatios(t *testing.T) {
	var r results
	for round, hub := range []float64{10, 40, 90} {
		r.add("one-to-one", peerHub, round, []figure{{"events/s", hub}})
		if round != 1 {
			r.add("one-to-one", peerMosquitto, round, []figure{{"events/s", 10}})
		}
	}
	r.complete()
	if len(r.rows) != 1 || r.rows[0].Ratios[peerMosquitto] != 5 || r.rows[0].Peers[peerHub].Median != 40 {
		t.Errorf("the rows are %+v", r.rows[0])
	}
	verdicts := judge(&r)
	if len(verdicts) != 1 || verdicts[0].Kept || verdicts[0].Measured != 5 {
		t.Errorf("the verdicts are %+v", verdicts)
	}
}

// programOf returns the program that a peer of this name runs.
func programOf(name string) string {
	if strings.HasPrefix(name, peerNATS) {
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
			p, err := newPeer(name)
			if err != nil {
				t.Errorf("%s: peer %s: %v", c.name, name, err)
				continue
			}
			command, err := p.command(&env{tmp: t.TempDir(), disk: t.TempDir()}, netip.AddrPort{})
			if err != nil {
				t.Fatal(err)
			}
			runs := slices.ContainsFunc(command, func(arg string) bool { return filepath.Base(arg) == programOf(name) })
			if hub, ok := p.(*hubPeer); !runs || ok && hub.json != strings.HasSuffix(name, "-json") {
				t.Errorf("%s: peer %s runs %q", c.name, name, command)
			}
		}
	}
	for _, p := range promises() {
		if !known[p.inCase] {
			t.Errorf("%q is promised of no case", p)
		}
	}
}
