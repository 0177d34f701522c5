//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"sighub/carrier"
	"sighub/journal"
)

// A found is what is in a journal.
type found struct {
	tracks  tracks
	marks   map[string]int // by sender, the number that the latest mark has
	cursors map[string]journal.Position
	at      map[uint64]sent // by sequence
	oldest  uint64          // sequence
	last    uint64
	events  int
}

const markPrefix = "producer/"

// look opens the journal in a folder, as the hub does when it starts, and reads it from beginning to end.
func look(dir string, o journal.Options) (_ *found, err error) {
	j, err := journal.Open(dir, o)
	if err != nil {
		return nil, fmt.Errorf("the journal cannot be opened: %w", err)
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	f := &found{tracks: tracks{}, marks: map[string]int{}, at: map[uint64]sent{}, cursors: j.Cursors(), oldest: 1}
	r := j.Read(journal.Query{Bounded: true})
	defer func() { err = errors.Join(err, r.Close()) }()
	some := make([]journal.Entry, 64)
	for {
		n, err := r.Next(context.Background(), some)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		for i := range n {
			if err := f.visit(&some[i]); err != nil {
				return nil, err
			}
		}
	}
	for sender := range f.tracks {
		if state := j.State(markPrefix + sender); state != nil {
			n, _ := binary.Uvarint(state)
			f.marks[sender] = int(n)
		}
	}
	if f.oldest > 1 {
		return f, f.full(dir, j.Health())
	}
	return f, nil
}

// full checks that old events have gone because there was no room for them. Some files may have no events: the next segment, and one
// that is new; and one may be missing, because the power was cut before it was made.
func (f *found) full(dir string, h journal.Health) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	have := int64(0)
	for _, e := range list {
		info, err := e.Info()
		if err != nil {
			return err
		}
		have += info.Size()
	}
	segment := h.Bytes / int64(max(h.Segments, 1))
	if h.Size-have >= 2*segment || h.Size-h.Bytes >= 4*segment {
		return fmt.Errorf("LOST: everything before event %d, though the journal has only %d of %d bytes, and its folder %d", f.oldest, h.Bytes, h.Size, have)
	}
	return nil
}

func (f *found) visit(e *journal.Entry) error {
	switch {
	case e.Lost > 0:
		return fmt.Errorf("LOST: %d events after event %d cannot be read", e.Lost, f.last)
	case f.events == 0:
		f.oldest = e.Sequence
	}
	if e.Sequence <= f.last || (f.events > 0 && e.Sequence != f.last+1) {
		return fmt.Errorf("event %d comes after event %d", e.Sequence, f.last)
	}
	f.last = e.Sequence
	f.events++
	if strings.HasPrefix(e.Topic.Event, "#") {
		return nil
	}
	n, err := numberIn(&e.Event)
	if err != nil {
		return err
	}
	f.at[e.Sequence] = sent{e.Sender, n}
	return f.tracks.add(e.Sender, n)
}

// numberIn returns the number of a signal in a journal, if its data is whole.
func numberIn(e *journal.Event) (n int, err error) {
	codec := carrier.CBOR
	if e.JSON {
		codec = carrier.JSON
	}
	return numberOf(e.Sender, carrier.RawValue(codec, e.Data))
}

// numberOf returns the number of a signal, if its data is whole.
func numberOf(sender string, v carrier.Value) (n int, err error) {
	if sender == deviceName {
		return n, v.Decode(&n)
	}
	var data string
	if err := v.Decode(&data); err != nil {
		return 0, fmt.Errorf("the data of %s is not a text: %w", sender, err)
	}
	digits, _, _ := strings.Cut(data, " ")
	n, err = strconv.Atoi(digits)
	if err != nil || text(sender, n) != data {
		return n, fmt.Errorf("the data of %s is not what was sent: %.60q", sender, data)
	}
	return n, nil
}
