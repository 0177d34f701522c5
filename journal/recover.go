package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// A found is what a log held when it was opened.
type found struct {
	holes   []hole  // in what was read
	trouble []error // that whoever runs the hub should hear of
}

// open opens the log in a folder. It reads the heads of all segments and the whole of the newest one, and gives its state and each
// of its commits to visit. If that state cannot be read, it begins with an earlier segment. It writes nothing.
func (l *log) open(visit func(f *frame)) (st found, err error) {
	l.next, l.epoch = 1, 1
	names, err := l.dir.List()
	if err != nil {
		return st, fmt.Errorf("journal: the folder cannot be read: %w", err)
	}
	slices.Sort(names)
	for _, name := range names {
		if number, ok := segmentNumber(name); ok {
			if err := l.find(name, number); err != nil {
				if errors.Is(err, fs.ErrNotExist) { // a hub that runs has renamed it
					continue
				}
				l.unread = append(l.unread, name)
				if !errors.Is(err, errZeros) { // zeros: it was made, and nothing was committed to it
					st.trouble = append(st.trouble, fmt.Errorf("journal: %s is left out: %w", name, err))
				}
			}
		}
	}
	if len(l.kept) == 0 {
		return st, nil
	}
	newest := segmentName(l.kept[len(l.kept)-1].number)
	l.unread = slices.DeleteFunc(l.unread, func(name string) bool { return name > newest }) // it will be used again
	return st, l.replay(&st, visit)
}

// find reads the head of a segment, and adds the segment to those that are kept.
func (l *log) find(name string, number uint64) (err error) {
	f, err := l.dir.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return err
	}
	s, before, err := readHead(f, number, l.faults.noNumber)
	if err != nil {
		return err
	}
	s.size = size
	if n := len(l.kept); n > 0 {
		last := &l.kept[n-1]
		if last.first > s.first {
			return fmt.Errorf("it begins with %d, before the segment in front of it", s.first)
		}
		if last.number == before.number {
			last.times = before.times
		}
	}
	l.kept = append(l.kept, s)
	return nil
}

// replay reads from the newest segment whose state is sound, and opens the newest one to be continued.
func (l *log) replay(st *found, visit func(f *frame)) error {
	start := len(l.kept) - 1
	for ; start > 0; start-- {
		err := l.state(&l.kept[start])
		if err == nil {
			break
		}
		st.trouble = append(st.trouble, fmt.Errorf("journal: the state in %s cannot be read, so an earlier one is: %w", segmentName(l.kept[start].number), err))
	}
	clean := false
	for i := start; i < len(l.kept); i++ {
		s := &l.kept[i]
		newest, end := i == len(l.kept)-1, uint64(0)
		if !newest {
			end = l.kept[i+1].first
		}
		f, err := l.dir.Open(segmentName(s.number))
		if err != nil {
			return err
		}
		l.times = never
		at, next, holes, err := s.scan(f, func(_ int64, f *frame) error {
			if !newest && f.count > 0 && f.first >= end { // it was not acknowledged there
				return nil
			}
			l.epoch, clean, l.times = max(l.epoch, f.epoch), f.kind == kindEnd, l.times.and(f.times)
			visit(f)
			return nil
		})
		st.holes = append(st.holes, holes...)
		if err != nil || !newest || s.size < l.size { // smaller: it was cut, or made by other options; the next commit begins one
			err = errors.Join(err, f.Close())
		} else {
			l.out = f
		}
		if err != nil {
			return err
		}
		if s.times == unknown && !newest {
			s.times = l.times
		}
		l.end, l.next = at, next
	}
	if l.out == nil {
		l.kept[len(l.kept)-1].times = l.times
	}
	if l.dirty = !clean; l.dirty && !l.readOnly {
		l.epoch++
	}
	return nil
}

// state reports whether the state of a segment is sound.
func (l *log) state(s *segment) (err error) {
	f, err := l.dir.Open(segmentName(s.number))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := window{f: f, size: min(s.size, headSize+s.size/4+2*frameAlign)}
	data, err := w.at(headSize)
	if err != nil {
		return err
	}
	fr, err := parseFrame(data, s.seal)
	if err == nil && fr.kind != kindState {
		err = errors.New("the first frame is not a state")
	}
	return err
}
