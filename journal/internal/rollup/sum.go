// Package rollup keeps sums of numbers, by topic and minute and hour, in files that are derived from a journal: what is lost of them
// is summed up again from its events.
package rollup

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"sort"
)

// A Topic is an event of a sender.
type Topic struct{ Sender, Event string }

// The spans of time of sums, in nanoseconds.
const (
	Minute = int64(60e9)
	Hour   = 60 * Minute
)

// A Sum is of the numbers of a span of time.
type Sum struct {
	Start    int64 // in nanoseconds since 1970
	Min, Max float64
	Total    float64
	Last     float64 // of the latest time
	LastTime int64
	Count    uint64
}

// One returns the Sum of one number, in the span that begins at start.
func One(start, time int64, n float64) Sum {
	return Sum{Start: start, Min: n, Max: n, Total: n, Last: n, LastTime: time, Count: 1}
}

// Add adds what was recorded later, whatever its times are.
func (s *Sum) Add(later *Sum) {
	s.Min, s.Max, s.Total, s.Count = min(s.Min, later.Min), max(s.Max, later.Max), total(s.Total, later.Total), s.Count+later.Count
	if later.LastTime >= s.LastTime {
		s.Last, s.LastTime = later.Last, later.LastTime
	}
}

// total returns the sum of two numbers, or the largest number if that is less: of what is infinite nothing can be taken away again.
func total(a, b float64) float64 {
	sum := a + b
	if math.IsInf(sum, 0) {
		return math.Copysign(math.MaxFloat64, sum)
	}
	return sum
}

// Floor returns the greatest multiple of step that is not above t, or the smallest number if that is less.
func Floor(t, step int64) int64 {
	rest := t % step
	if rest < 0 {
		rest += step
	}
	if t < math.MinInt64+rest {
		return math.MinInt64
	}
	return t - rest
}

// Ceil returns the smallest multiple of step that is not below t, or the greatest number if that is more.
func Ceil(t, step int64) int64 {
	floor := Floor(t, step)
	switch {
	case floor == t:
		return t
	case floor > math.MaxInt64-step:
		return math.MaxInt64
	}
	return floor + step
}

// Sums are of spans of the same length, in the order of their starts.
type Sums []Sum

// Add adds what was recorded later.
func (l *Sums) Add(s *Sum) {
	list := *l
	n := len(list)
	switch {
	case n == 0 || list[n-1].Start < s.Start:
		*l = append(*l, *s)
		return
	case list[n-1].Start == s.Start:
		list[n-1].Add(s)
		return
	}
	i := sort.Search(n, func(i int) bool { return list[i].Start >= s.Start })
	if list[i].Start == s.Start {
		list[i].Add(s)
		return
	}
	list = append(list, Sum{})
	copy(list[i+1:], list[i:])
	list[i] = *s
	*l = list
}

// Wider returns the sums of wider spans.
func (l Sums) Wider(step int64) Sums {
	var wide Sums
	for i := range l {
		s := l[i]
		s.Start = Floor(s.Start, step)
		wide.Add(&s)
	}
	return wide
}

// Largest is how many bytes a Sum takes at most.
const Largest = 1 + 10 + 10 + 10 + 4*9

// append appends the sums in spans of step. The format is: their number; of each, by how many steps it starts after the one before,
// how many numbers it has, when the last one was, and the numbers.
func (l Sums) append(dst []byte, step int64) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(l)))
	before := Sum{}
	for i := range l {
		s := &l[i]
		dst = binary.AppendVarint(dst, (s.Start-before.Start)/step)
		dst = binary.AppendUvarint(dst, s.Count)
		dst = binary.AppendUvarint(dst, uint64(s.LastTime-s.Start))
		dst = appendFloat(dst, s.Last, before.Last)
		if s.Count > 1 {
			dst = appendFloat(dst, s.Min, s.Last)
			dst = appendFloat(dst, s.Max, s.Last)
			dst = appendFloat(dst, s.Total, before.Total)
		}
		before = *s
	}
	return dst
}

// appendFloat appends the bytes in which a number differs from another one, behind a byte that says how many zeros are in front of
// them, and how many they are.
func appendFloat(dst []byte, f, from float64) []byte {
	n := math.Float64bits(f) ^ math.Float64bits(from)
	front := bits.LeadingZeros64(n) / 8
	length := 8 - front - min(bits.TrailingZeros64(n), 56)/8
	if n == 0 {
		front, length = 0, 0
	}
	dst = append(dst, byte(front<<4|length))
	n <<= 8 * front
	for range length {
		dst = append(dst, byte(n>>56))
		n <<= 8
	}
	return dst
}

var errSums = errors.New("rollup: sums cannot be read")

// A decoder reads sums.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) uint() uint64 {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

func (d *decoder) int() int64 {
	n := d.uint()
	return int64(n>>1) ^ -int64(n&1)
}

func (d *decoder) text() []byte {
	n := d.uint()
	if n > uint64(len(d.rest)) {
		d.bad, d.rest = true, nil
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) float(from float64) float64 {
	if len(d.rest) == 0 {
		d.bad = true
		return 0
	}
	front, length := int(d.rest[0]>>4), int(d.rest[0]&15)
	if front+length > 8 || length >= len(d.rest) {
		d.bad, d.rest = true, nil
		return 0
	}
	var n uint64
	for _, b := range d.rest[1 : 1+length] {
		n = n<<8 | uint64(b)
	}
	d.rest = d.rest[1+length:]
	return math.Float64frombits(n<<(8*(8-front-length)) ^ math.Float64bits(from))
}

// sums gives the sums of a block to visit.
func (d *decoder) sums(step int64, visit func(*Sum)) error {
	var before, s Sum
	for n := d.uint(); n > 0 && !d.bad; n-- {
		s = Sum{Start: before.Start + d.int()*step, Count: d.uint()}
		s.LastTime = s.Start + int64(d.uint())
		s.Last = d.float(before.Last)
		s.Min, s.Max, s.Total = s.Last, s.Last, s.Last
		if s.Count > 1 {
			s.Min = d.float(s.Last)
			s.Max = d.float(s.Last)
			s.Total = d.float(before.Total)
		}
		before = s // visit may change s
		if !d.bad {
			visit(&s)
		}
	}
	if d.bad {
		return errSums
	}
	return nil
}
