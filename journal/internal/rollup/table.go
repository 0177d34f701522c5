package rollup

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Table has the sums of minutes of the latest events of a journal, in memory.
type Table struct {
	From, To uint64 // sequences: of the first event, and behind the last one
	series   map[Topic]*Series
	bytes    int
}

// A Series has the sums of a topic.
type Series struct {
	t    *Table
	sums Sums
}

// NewTable returns an empty table for the events from a sequence on.
func NewTable(from uint64) *Table {
	return &Table{From: from, To: from, series: make(map[Topic]*Series)}
}

// Series returns that of a topic.
func (t *Table) Series(topic Topic) *Series {
	s := t.series[topic]
	if s == nil {
		s = &Series{t: t}
		t.series[topic] = s
		t.bytes += len(topic.Sender) + len(topic.Event) + 16
	}
	return s
}

// Add adds a number.
func (s *Series) Add(time int64, n float64) {
	start := Floor(time, Minute)
	if last := len(s.sums) - 1; last >= 0 && s.sums[last].Start == start {
		sum := &s.sums[last]
		sum.Min, sum.Max, sum.Total = min(sum.Min, n), max(sum.Max, n), total(sum.Total, n)
		if sum.Count++; time >= sum.LastTime {
			sum.Last, sum.LastTime = n, time
		}
		return
	}
	before := len(s.sums)
	one := One(start, time, n)
	s.sums.Add(&one)
	s.t.bytes += (len(s.sums) - before) * Largest
}

// Bytes returns how many bytes the table takes at most as what Append appends.
func (t *Table) Bytes() int { return t.bytes }

// Sums returns a copy of a topic's sums.
func (t *Table) Sums(topic Topic) Sums {
	if t == nil || t.series[topic] == nil {
		return nil
	}
	return append(Sums(nil), t.series[topic].sums...)
}

// Append appends all sums, to be read by [Read].
func (t *Table) Append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, t.From)
	for _, topic := range slices.SortedFunc(maps.Keys(t.series), compare) {
		s := t.series[topic]
		dst = appendText(dst, topic.Sender)
		dst = appendText(dst, topic.Event)
		dst = s.sums.append(dst, Minute)
	}
	return dst
}

// Read reads a table that was appended. The events that it has end before a sequence.
func Read(data []byte, to uint64) (*Table, error) {
	d := decoder{rest: data}
	from := d.uint()
	if d.bad || from > to {
		return nil, fmt.Errorf("%w: they begin with %d and end before %d", errSums, from, to)
	}
	t := NewTable(from)
	t.To = to
	for len(d.rest) > 0 && !d.bad {
		sender, event := d.text(), d.text()
		if d.bad {
			break
		}
		s := t.Series(Topic{string(sender), string(event)})
		err := d.sums(Minute, func(sum *Sum) {
			s.sums.Add(sum)
			t.bytes += Largest
		})
		if err != nil {
			return nil, err
		}
	}
	if d.bad {
		return nil, errSums
	}
	return t, nil
}

func appendText(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

func compare(a, b Topic) int {
	if c := strings.Compare(a.Sender, b.Sender); c != 0 {
		return c
	}
	return strings.Compare(a.Event, b.Event)
}
