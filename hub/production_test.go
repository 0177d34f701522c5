package hub_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/hub"
	"sighub/journal"
)

// A producing client triggers numbered events, each with its number for data.
type producing struct {
	t      *testing.T
	sender *hub.Sender
	signal *hub.Signal
	at     *hub.Production
}

func produce(t *testing.T, r *hub.ClientRouter, name string) *producing {
	t.Helper()
	s, err := r.AddRemoteSender(t.Context(), name, hub.SenderOptions{Events: []string{"n"}, Producer: "p"})
	if err != nil {
		t.Fatal(err)
	}
	g, err := s.Signal("n")
	if err != nil {
		t.Fatal(err)
	}
	at, err := s.Produce(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &producing{t, s, g, at}
}

// trigger triggers the events of these numbers and waits for the answers.
func (p *producing) trigger(numbers ...uint64) {
	p.t.Helper()
	ended := make(chan error, len(numbers))
	for _, n := range numbers {
		if err := p.at.Trigger(p.t.Context(), p.signal, n, n, time.Time{}, 0, func(err error) { ended <- err }); err != nil {
			p.t.Fatal(err)
		}
	}
	for range numbers {
		if err := <-ended; err != nil {
			p.t.Error(err)
		}
	}
}

// keptNumbers lists the data of events named n that a journal has, in its order.
func keptNumbers(t *testing.T, dir string) (numbers []string) {
	t.Helper()
	j, err := journal.Open(dir, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	r := j.Read(journal.Query{Filter: journal.Only("", "n"), Bounded: true})
	defer r.Close()
	entries := make([]journal.Entry, 64)
	for n := 0; err == nil; n, err = r.Next(t.Context(), entries) {
		for _, e := range entries[:n] {
			codec := carrier.CBOR
			if e.JSON {
				codec = carrier.JSON
			}
			numbers = append(numbers, carrier.RawValue(codec, e.Data).String())
		}
	}
	return numbers
}

// TestProduction: what a producer sends again, after a new start of its own or of the hub, is acknowledged and not recorded again.
func TestProduction(t *testing.T) {
	for _, codec := range []carrier.Codec{carrier.JSON, carrier.CBOR} {
		dir := t.TempDir()
		open := func() *journal.Journal {
			j, err := journal.Open(dir, journal.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return j
		}
		n := serveNetwork(t, hub.ServerOptions{Journal: open()})
		r, stop := n.client(codec)
		p := produce(t, r, "pipe")
		if p.at.Next() != 1 {
			t.Errorf("it begins with %d", p.at.Next())
		}
		p.trigger(1, 2, 3, 7)
		other, stopOther := n.client(codec)
		_, err := other.AddRemoteSender(t.Context(), "second", hub.SenderOptions{Producer: "p"})
		if !errors.Is(err, hub.ErrExists) {
			t.Errorf("the name is taken, and yet: %v", err)
		}
		stopOther()
		stop()
		if err := p.at.Trigger(t.Context(), p.signal, 8, 8, time.Time{}, 0, func(error) {}); !errors.Is(err, hub.ErrNotConnected) {
			t.Errorf("on a connection that is lost: %v", err)
		}

		r, stop = n.client(codec)
		p = produce(t, r, "pipe")
		if p.at.Next() != 8 {
			t.Errorf("it goes on with %d, not 8", p.at.Next())
		}
		p.trigger(2, 7, 8, 9)
		stop()
		n.stop()

		n = serveNetwork(t, hub.ServerOptions{Journal: open()})
		r, stop = n.client(codec)
		p = produce(t, r, "renamed")
		if p.at.Next() != 10 {
			t.Errorf("it goes on with %d after a new start of the hub, not 10", p.at.Next())
		}
		p.trigger(9, 10)
		stop()
		n.stop()
		if got, want := keptNumbers(t, dir), []string{"1", "2", "3", "7", "8", "9", "10"}; !slices.Equal(got, want) {
			t.Errorf("%s: kept %s, want %s", codec.Name(), got, want)
		}
	}
}

// TestProductionReconnects: the ClientRouter registers the sender again when its connection was lost, with the number up to which
// the hub has everything.
func TestProductionReconnects(t *testing.T) {
	j, err := journal.Open(t.TempDir(), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := serveNetwork(t, hub.ServerOptions{Journal: j})
	line := newCable(t, n.addr)
	n.addr = line.addr
	r, stop := n.client(carrier.CBOR)
	defer stop()
	p := produce(t, r, "pipe")
	for round := range uint64(5) {
		p.trigger(2*round+1, 2*round+2)
		before := p.at
		line.cut()
		line.mend()
		for {
			if p.at, err = p.sender.Produce(t.Context()); err != nil {
				t.Fatal(err)
			}
			// The loss may not have been noticed when Produce was called.
			ended := make(chan error, 1)
			err := p.at.Trigger(t.Context(), p.signal, 1, 1, time.Time{}, 0, func(err error) { ended <- err })
			if err == nil && <-ended == nil && *p.at != *before {
				break
			}
		}
		if p.at.Next() != 2*round+3 {
			t.Fatalf("next is %d in round %d", p.at.Next(), round)
		}
	}
	if err := r.RemoveRemoteSender(t.Context(), p.sender); err != nil {
		t.Error(err)
	}
	if _, err := p.sender.Produce(t.Context()); !errors.Is(err, hub.ErrNotConnected) {
		t.Errorf("removed, and yet: %v", err)
	}
}

// TestNoProduction: without a journal, or without a producer's name, there are no numbers.
func TestNoProduction(t *testing.T) {
	n := serveNetwork(t, hub.ServerOptions{})
	r, stop := n.client(carrier.CBOR)
	defer stop()
	if _, err := r.AddRemoteSender(t.Context(), "s", hub.SenderOptions{Producer: "p"}); !errors.Is(err, hub.ErrArguments) {
		t.Errorf("the hub keeps no journal, and yet: %v", err)
	}
	if _, err := r.AddRemoteSender(t.Context(), "s", hub.SenderOptions{Producer: "a\nb"}); !errors.Is(err, hub.ErrName) {
		t.Errorf("no name: %v", err)
	}
	s, err := r.AddRemoteSender(t.Context(), "s", hub.SenderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Produce(context.Background()); !errors.Is(err, hub.ErrArguments) {
		t.Errorf("no producer: %v", err)
	}
}
