package journal

import (
	"errors"
	"fmt"
	"slices"
)

// A state is what a log held when it was opened.
type state struct {
	snapshot []byte  // of the head of the newest segment
	holes    []hole  // in the newest segment
	trouble  []error // that whoever runs the hub should hear of
	clean    bool    // the log was closed in order
}

// open opens the log in a folder. It reads the heads of all segments and the whole of the newest one, of which it gives each
// commit to visit, after its head to before. It writes nothing.
func open(dir folder, size int64, most int, visit func(f *frame) error, before func(head *frame)) (*log, *state, error) {
	l := &log{dir: dir, size: size, most: max(most, 2), next: 1, snapshot: func() []byte { return nil }}
	st := new(state)
	names, err := dir.List()
	if err != nil {
		return nil, nil, fmt.Errorf("journal: the folder cannot be read: %w", err)
	}
	slices.Sort(names)
	for _, name := range names {
		if number, ok := segmentNumber(name); ok {
			if err := l.find(name, number, st); err != nil {
				st.trouble = append(st.trouble, fmt.Errorf("journal: %s is left out: %w", name, err))
			}
		}
	}
	if len(l.kept) == 0 {
		l.epoch = 1
		return l, st, nil
	}
	newest := &l.kept[len(l.kept)-1]
	before(&frame{kind: kindHead, epoch: newest.epoch, first: newest.first, content: st.snapshot})
	if err := l.reopen(st, visit); err != nil {
		return nil, nil, err
	}
	if !st.clean {
		l.epoch++
	}
	return l, st, nil
}

// find reads the head of a segment, and adds the segment to those that are kept.
func (l *log) find(name string, number uint64, st *state) (err error) {
	f, err := l.dir.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return err
	}
	s, snapshot, err := readHead(f, size, number)
	switch {
	case errors.Is(err, errZeros): // it was made, and nothing was committed to it
		return nil
	case err != nil:
		return err
	}
	for n := len(l.kept); n > 0 && l.kept[n-1].first > s.first; n-- {
		return fmt.Errorf("it begins with %d, before the segment in front of it", s.first)
	}
	l.kept, st.snapshot = append(l.kept, s), snapshot
	return nil
}

// reopen reads the newest segment and opens it to be continued.
func (l *log) reopen(st *state, visit func(f *frame) error) error {
	s := &l.kept[len(l.kept)-1]
	f, err := l.dir.Open(segmentName(s.number))
	if err != nil {
		return err
	}
	size, err := f.Size()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.epoch = s.epoch
	l.end, l.next, st.holes, err = s.scan(f, size, func(_ int64, f *frame) error {
		l.epoch, st.clean = max(l.epoch, f.epoch), f.kind == kindEnd
		return visit(f)
	})
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if size < l.size { // it was cut, or the journal was made with smaller segments: the next commit begins one
		return f.Close()
	}
	l.out = f
	return nil
}
