package past

import (
	"errors"
	"fmt"
	"time"

	"sighub/carrier"
	"sighub/journal"
)

// A Bucket sums up an event in a span of time, as it is told.
type Bucket struct {
	Time                 time.Time // when it begins
	Min, Max, Mean, Last float64
	Count                uint64
}

// Buckets are an answer with sums. There are more from Next on, unless that is zero.
type Buckets struct {
	List List[Bucket]
	Next time.Time
}

// NewBuckets returns the answer with sums of the journal.
func NewBuckets(sums []journal.Bucket, next time.Time) Buckets {
	b := Buckets{make(List[Bucket], len(sums)), next}
	for i := range sums {
		s := &sums[i]
		mean := max(s.Min, min(s.Max, s.Sum/float64(s.Count))) // a sum is rounded
		b.List[i] = Bucket{s.Start, s.Min, s.Max, mean, s.Last, s.Count}
	}
	return b
}

// AppendTo implements carrier.Appender.
func (b Buckets) AppendTo(dst []byte, c carrier.Codec) ([]byte, error) {
	w := carrier.NewMapWriter(dst, WithTexts(c), 2)
	w.Any("buckets", b.List)
	if b.Next.IsZero() {
		w.Any("next", nil)
	} else {
		w.Time("next", b.Next)
	}
	return w.End()
}

// AppendTo implements carrier.Appender.
func (b Bucket) AppendTo(dst []byte, c carrier.Codec) ([]byte, error) {
	w := carrier.NewMapWriter(dst, c, 6)
	w.Time("time", b.Time)
	w.Float("min", b.Min)
	w.Float("max", b.Max)
	w.Float("mean", b.Mean)
	w.Float("last", b.Last)
	w.Uint("count", b.Count)
	return w.End()
}

// A Page is an answer with sums that was received. There are more from Next on, unless that is zero.
type Page struct {
	Next    time.Time
	buckets carrier.Value
}

// ReadPage reads an answer, but not its sums yet.
func ReadPage(v carrier.Value) (p Page, err error) {
	err = v.Fields(func(key string, v carrier.Value) (err error) {
		switch key {
		case "buckets":
			p.buckets = v
		case "next":
			p.Next, err = carrier.ReadTime(v)
		}
		return err
	})
	if err == nil && p.buckets.IsNull() {
		err = errors.New("there are no buckets")
	}
	return p, notUnderstood(err)
}

func notUnderstood(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("hub: the history is not understood: %w", err)
}

// Buckets returns the sums, up to the first that is not understood.
func (p *Page) Buckets() (list []Bucket, err error) {
	err = p.buckets.Items(func(item carrier.Value) error {
		var b Bucket
		if err := b.read(item); err != nil {
			return fmt.Errorf("bucket %d: %w", len(list), err)
		}
		list = append(list, b)
		return nil
	})
	return list, notUnderstood(err)
}

func (b *Bucket) read(v carrier.Value) error {
	return v.Fields(func(key string, v carrier.Value) (err error) {
		switch key {
		case "time":
			b.Time, err = carrier.ReadTime(v)
		case "min":
			err = v.Decode(&b.Min)
		case "max":
			err = v.Decode(&b.Max)
		case "mean":
			err = v.Decode(&b.Mean)
		case "last":
			err = v.Decode(&b.Last)
		case "count":
			err = v.Decode(&b.Count)
		}
		return err
	})
}

// A List is a list of values.
type List[A carrier.Appender] []A

// AppendTo implements carrier.Appender.
func (list List[A]) AppendTo(dst []byte, c carrier.Codec) (_ []byte, err error) {
	json := c.Name() == carrier.JSON.Name()
	if json {
		dst = append(dst, '[')
	} else {
		dst = carrier.AppendCBORHead(dst, carrier.CBORArray, uint64(len(list)))
	}
	for i, a := range list {
		if json && i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = a.AppendTo(dst, c); err != nil {
			return dst, err
		}
	}
	if json {
		dst = append(dst, ']')
	}
	return dst, nil
}

// WithTexts returns the codec that writes texts for keys where c may write integers: an answer to a request may have any keys.
func WithTexts(c carrier.Codec) carrier.Codec {
	if c.Name() == carrier.CBOR.Name() {
		return carrier.CBORText
	}
	return c
}
