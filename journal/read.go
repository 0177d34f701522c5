package journal

import (
	"errors"
	"io/fs"
	"math"
)

// each calls visit for each commit that is on disk and ends behind the sequence from, in order, and returns the holes between
// them. The content is valid until visit returns.
func (l *log) each(from uint64, visit func(f *frame) error) (holes []hole, err error) {
	next := uint64(0) // what follows the last commit
	for i := range l.kept {
		s, end := &l.kept[i], uint64(math.MaxUint64)
		if i+1 < len(l.kept) {
			end = l.kept[i+1].first
		}
		if end <= from {
			continue
		}
		if next != 0 && next < s.first {
			holes = append(holes, hole{next, s.first})
		}
		next = s.first
		more, err := l.eachOf(s, &next, func(f *frame) error {
			if f.first >= end && f.count > 0 || f.first+uint64(f.count) <= from {
				return nil // it was not acknowledged, and was written again behind
			}
			return visit(f)
		})
		if err != nil {
			return holes, err
		}
		for _, h := range more {
			if h.from < end {
				holes = append(holes, hole{h.from, min(h.to, end)})
			}
		}
		next = min(next, end)
	}
	return holes, nil
}

// eachOf scans one segment.
func (l *log) eachOf(s *segment, next *uint64, visit func(f *frame) error) (holes []hole, err error) {
	f, err := l.dir.Open(segmentName(s.number))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if s.begin == 0 { // nothing was committed to it
		return nil, nil
	}
	_, *next, holes, err = s.scan(f, size, func(_ int64, f *frame) error { return visit(f) })
	return holes, err
}
