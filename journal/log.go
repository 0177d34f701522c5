package journal

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"sighub/journal/folder"
)

// A log is a journal without the meaning of its content: commits that follow one another, in segments. Its methods are for one
// goroutine.
type log struct {
	dir  folder.Folder
	size int64 // of a segment
	most int   // segments
	// snapshot returns what the state of a new segment says of everything before it.
	snapshot func() []byte
	now      func() time.Time
	readOnly bool // nothing will be appended, so no epoch begins
	faults   faults

	epoch  uint32
	next   uint64      // sequence of the next event
	kept   []segment   // oldest first; the last one is written. It is replaced, and never changed: readers have it
	unread []string    // files that look like segments and cannot be read, oldest first
	out    folder.File // of the newest segment; nil: the next append begins one
	end    int64       // of what is written in it
	times              // of its events
	failed string      // a file to which nothing could be committed, to be used again
	dirty  bool        // the log has not ended in order
	rolled bool        // the latest append has begun a segment
	buf    []byte
	spare  sync.Mutex // of the spare file
}

// faults are planted for tests, which must find them.
type faults struct {
	noSync       bool // a commit does not wait for the disk
	noFolderSync bool // nor does the name of a new segment
	noNumber     bool // what tells a segment's frames from those of the file's former life is left out, in and beside the checksum
	cursorFirst  bool // a cursor that has heard everything is moved on before there is more
}

// maxFrame bounds the content of a frame, so that one fits in a segment behind the state.
func (l *log) maxFrame() int { return int(l.size/2) - frameAlign }

// maxState bounds the content of a state.
func (l *log) maxState() int { return int(l.size / 4) }

var errTooLarge = errors.New("journal: it is too large")

// append writes a commit with count events and returns the sequence of the first one when it is on disk. After an error nothing
// of it may be acknowledged. The segment is then given up, because what a disk holds after a failed write is not known; the next
// append begins another one, with the same sequence.
func (l *log) append(f frame) (first uint64, err error) {
	if len(f.content) > l.maxFrame() {
		return 0, fmt.Errorf("%w: a commit of %d bytes; a segment has %d", errTooLarge, len(f.content), l.size)
	}
	f.epoch, f.first = l.epoch, l.next
	l.buf, l.rolled = l.buf[:0], false
	if l.out == nil || l.end+f.size() > l.size {
		if err := l.roll(); err != nil {
			return 0, err
		}
	}
	s := &l.kept[len(l.kept)-1]
	at := l.end
	if at == 0 { // head and state are written with the first commit
		var before former
		if n := len(l.kept); n > 1 {
			before = former{l.kept[n-2].number, l.kept[n-2].times}
		}
		l.buf = append(l.buf, s.head(before)...)
		state := frame{kind: kindState, epoch: l.epoch, first: l.next, times: never, content: l.snapshot()}
		if headSize+state.size()+f.size() > l.size {
			return 0, fmt.Errorf("%w: a state of %d bytes; a segment has %d", errTooLarge, len(state.content), l.size)
		}
		l.buf = state.appendTo(l.buf, s.seal)
	}
	l.buf = f.appendTo(l.buf, s.seal)
	if _, err = l.out.WriteAt(l.buf, at); err == nil && !l.faults.noSync {
		err = l.out.Sync()
	}
	if err != nil {
		return 0, errors.Join(err, l.giveUp())
	}
	first = l.next
	l.end, l.next, l.dirty = at+int64(len(l.buf)), l.next+uint64(f.count), f.kind != kindEnd
	l.times, l.rolled = l.times.and(f.times), at == 0
	return first, nil
}

// written returns how many bytes the latest append wrote, and lets go of them.
func (l *log) written() int64 {
	n := len(l.buf)
	if cap(l.buf) > longestBuffer {
		l.buf = nil
	}
	return int64(n)
}

// longestBuffer bounds the memory that is kept to be used again.
const longestBuffer = 1 << 20

// skip leaves out the numbers of events that are lost, so that readers hear how many.
func (l *log) skip(count int) { l.next += uint64(count) }

// giveUp has the next append begin a segment. One to which nothing was committed is forgotten, and its file is used again: a disk
// that goes on failing must not cost one old segment after the other.
func (l *log) giveUp() error {
	if l.out == nil {
		return nil
	}
	n := len(l.kept) - 1
	l.kept = slices.Clone(l.kept)
	if l.end == 0 {
		l.failed = segmentName(l.kept[n].number)
		l.kept = l.kept[:n]
	} else {
		l.kept[n].times = l.times
	}
	out := l.out
	l.out = nil
	return out.Close()
}

// roll begins the next segment. Its name is on disk before anything is written to it, else an acknowledged commit could lie in a
// file that is found under its former name.
func (l *log) roll() error {
	if err := l.giveUp(); err != nil {
		return err
	}
	s := segment{number: 1, key: newKey(), epoch: l.epoch, first: l.next, began: l.now().UnixNano(), size: l.size, times: unknown, bare: l.faults.noNumber}
	if n := len(l.kept); n > 0 {
		s.number = l.kept[n-1].number + 1
	} else if n := len(l.unread); n > 0 {
		last, _ := segmentNumber(l.unread[n-1])
		s.number = last + 1
	}
	if failed, ok := segmentNumber(l.failed); ok {
		s.number = max(s.number, failed+1)
	}
	s.seal = newSeal(s.number, s.key, s.bare)
	f, err := l.claim(segmentName(s.number))
	if err != nil {
		return err
	}
	if !l.faults.noFolderSync {
		if err := l.dir.Sync(); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	l.kept = append(slices.Clip(l.kept), s)
	l.out, l.end, l.times, l.failed = f, 0, never, ""
	return nil
}

// close ends the log after a last commit that says that it ended in order.
func (l *log) close() error {
	var err error
	if l.dirty {
		_, err = l.append(frame{kind: kindEnd, times: never})
	}
	return errors.Join(err, l.giveUp())
}
