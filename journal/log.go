package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// A log is a journal without the meaning of its content: commits that follow one another, in segments. Its methods are for one
// goroutine.
type log struct {
	dir  folder
	size int64 // of a segment
	most int   // segments
	// snapshot returns what the head of a new segment says of everything before it.
	snapshot func() []byte

	epoch uint32
	next  uint64    // sequence of the next event
	kept  []segment // oldest first; the last one is written
	out   file      // that one; nil: the next append begins a segment
	end   int64     // of what is written in it
	buf   []byte
}

// maxFrame bounds the content of a frame, so that one fits in a segment behind a head of the same size.
func (l *log) maxFrame() int { return int(l.size/2) - frameAlign }

// append writes a commit with count events and returns the sequence of the first one when it is on disk. After an error nothing
// of it may be acknowledged. The segment is then given up, because what a disk holds after a failed write is not known; the next
// append begins another one, with the same sequence.
func (l *log) append(kind uint32, content []byte, count int) (first uint64, err error) {
	if len(content) > l.maxFrame() {
		return 0, fmt.Errorf("journal: a commit of %d bytes is too large: a segment has %d", len(content), l.size)
	}
	f := frame{kind: kind, epoch: l.epoch, first: l.next, count: uint32(count), content: content}
	l.buf = l.buf[:0]
	if l.out == nil || l.end+f.size() > l.size {
		if err := l.roll(); err != nil {
			return 0, err
		}
	}
	s := &l.kept[len(l.kept)-1]
	at := l.end
	if at == 0 { // the head is written with the first commit
		head := s.head(l.snapshot())
		if head.size()+f.size() > l.size {
			return 0, fmt.Errorf("journal: a head of %d bytes is too large: a segment has %d", len(head.content), l.size)
		}
		l.buf = head.appendTo(l.buf, seal{number: s.number})
		s.begin = head.size()
	}
	l.buf = f.appendTo(l.buf, s.seal())
	if _, err = l.out.WriteAt(l.buf, at); err == nil {
		err = l.out.Sync()
	}
	if err != nil {
		return 0, errors.Join(err, l.giveUp())
	}
	first = l.next
	l.end, l.next = at+int64(len(l.buf)), l.next+uint64(count)
	return first, nil
}

// giveUp has the next append begin a segment.
func (l *log) giveUp() error {
	if l.out == nil {
		return nil
	}
	out := l.out
	l.out = nil
	return out.Close()
}

// roll begins the next segment: in the spare file, in that of the oldest segment, or in a new one. Its name is on disk before
// anything is written to it, else an acknowledged commit could lie in a file that is found under its former name.
func (l *log) roll() error {
	if err := l.giveUp(); err != nil {
		return err
	}
	s := segment{number: 1, key: newKey(), epoch: l.epoch, first: l.next}
	if n := len(l.kept); n > 0 {
		s.number = l.kept[n-1].number + 1
	}
	name := segmentName(s.number)
	f, err := l.claim(name)
	if err != nil {
		return err
	}
	if err := l.dir.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	l.kept = append(l.kept, s)
	l.out, l.end = f, 0
	return nil
}

// claim returns a file for a segment, under its name.
func (l *log) claim(name string) (file, error) {
	f, err := l.dir.Open(name) // from an attempt that failed later
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	from := spare
	if len(l.kept) >= l.most {
		from = segmentName(l.kept[0].number)
		l.kept = slices.Delete(l.kept, 0, 1) // also if the name cannot be changed: it is not known then
	}
	err = l.dir.Rename(from, name)
	if errors.Is(err, fs.ErrNotExist) {
		if err = l.prepare(); err == nil {
			err = l.dir.Rename(spare, name)
		}
	}
	if err != nil {
		return nil, err
	}
	return l.dir.Open(name)
}

// prepare makes the spare file, which must not be there: zeros on disk, so that a commit needs no room and changes nothing of the file but its content.
// A disk that is full is told then, and not in the middle of a commit.
func (l *log) prepare() (err error) {
	const unfinished = spare + ".new"
	if err := l.dir.Remove(unfinished); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := l.dir.Create(unfinished)
	if err != nil {
		return err
	}
	zeros := make([]byte, min(l.size, 1<<20))
	for at := int64(0); at < l.size && err == nil; at += int64(len(zeros)) {
		_, err = f.WriteAt(zeros[:min(int64(len(zeros)), l.size-at)], at)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = l.dir.Rename(unfinished, spare)
	}
	if err != nil {
		return errors.Join(err, l.dir.Remove(unfinished)) // so that it takes no room of others
	}
	return nil
}

// close ends the log after a last commit that says that it ended in order.
func (l *log) close(content []byte) error {
	if l.out == nil {
		return nil
	}
	_, err := l.append(kindEnd, content, 0)
	return errors.Join(err, l.giveUp())
}
