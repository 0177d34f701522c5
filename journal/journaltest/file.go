package journaltest

import (
	"errors"
	"io"
	"slices"
	"time"
)

// A File is one of a Folder.
type File struct {
	c       *Folder
	data    content // as it is seen
	disk    content
	pending []write
	bad     [2]int64 // from and to: of what cannot be read
}

type write struct {
	at   int64
	data []byte
}

// A content is that of a file. Zeros at its end are not in memory.
type content struct {
	data []byte
	size int64
}

func (c *content) put(at int64, p []byte) {
	c.size = max(c.size, at+int64(len(p)))
	for len(p) > 0 && at+int64(len(p)) > int64(len(c.data)) && p[len(p)-1] == 0 {
		p = p[:len(p)-1]
	}
	if need := int(at) + len(p); len(p) > 0 && need > len(c.data) {
		c.data = append(c.data, make([]byte, need-len(c.data))...)
	}
	if len(p) > 0 {
		copy(c.data[at:], p)
	}
}

func (c *content) read(p []byte, at int64) int {
	if at >= c.size {
		return 0
	}
	p = p[:min(int64(len(p)), c.size-at)]
	n := 0
	if at < int64(len(c.data)) {
		n = copy(p, c.data[at:])
	}
	clear(p[n:])
	return len(p)
}

// whole has all of the content in memory.
func (c *content) whole() []byte {
	if more := c.size - int64(len(c.data)); more > 0 {
		c.data = append(c.data, make([]byte, more)...)
	}
	return c.data
}

// lose leaves some of what was written, in sectors.
func (f *File) lose() {
	for _, w := range f.pending {
		for i := 0; i < len(w.data); i += sector {
			if f.c.rng.IntN(2) == 0 {
				f.disk.put(w.at+int64(i), w.data[i:min(i+sector, len(w.data))])
			}
		}
	}
	f.pending, f.data = nil, content{slices.Clone(f.disk.data), f.disk.size}
}

// ReadAt implements [folder.File].
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	f.c.reads++
	f.c.readBytes += int64(len(p))
	if err := f.c.faults.ReadErr; err != nil {
		return 0, err
	}
	if off < f.bad[1] && off+int64(len(p)) > f.bad[0] {
		return f.data.read(p[:max(0, f.bad[0]-off)], off), ErrDisk
	}
	n := f.data.read(p, off)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt implements [folder.File].
func (f *File) WriteAt(p []byte, off int64) (int, error) {
	if d := f.c.Faults().WriteDelay; d > 0 {
		time.Sleep(d)
	}
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	if err := f.c.step(true); err != nil {
		if errors.Is(err, ErrCut) && !f.c.faults.NothingUnderWay && f.c.rng.IntN(2) == 0 { // it was on its way
			f.pending = append(f.pending, write{off, slices.Clone(p)})
		}
		return 0, err
	}
	f.c.count.Writes++
	f.c.count.Bytes += int64(len(p))
	some, err := p, error(nil)
	if countDown(&f.c.faults.FailWrite) {
		some, err = p[:f.c.rng.IntN(len(p)+1)], ErrDisk
	}
	if space := f.c.faults.Space; space > 0 {
		if grows := off + int64(len(some)) - f.data.size; grows > 0 {
			if free := space - f.c.used(); grows > free {
				some, err = some[:max(0, int64(len(some))-grows+max(0, free))], ErrNoSpace
			}
		}
	}
	f.data.put(off, some)
	f.pending = append(f.pending, write{off, slices.Clone(some)})
	return len(some), err
}

// Size implements [folder.File].
func (f *File) Size() (int64, error) {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	return f.data.size, nil
}

// Sync implements [folder.File].
func (f *File) Sync() error {
	time.Sleep(f.c.Faults().SyncDelay)
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	f.c.count.Syncs++
	if err := f.c.step(true); err != nil {
		return err
	}
	if f.c.faults.SyncErr != nil {
		return f.c.faults.SyncErr
	}
	if countDown(&f.c.faults.FailSync) {
		for _, w := range f.pending { // some of it is written; the system forgets the rest, and still shows it
			if f.c.rng.IntN(2) == 0 {
				f.disk.put(w.at, w.data)
			}
		}
		f.pending = nil
		return ErrDisk
	}
	if f.c.faults.NoFileSync {
		return nil
	}
	for _, w := range f.pending {
		f.disk.put(w.at, w.data)
	}
	f.pending = nil
	return nil
}

// Close implements [folder.File].
func (f *File) Close() error { return nil }
