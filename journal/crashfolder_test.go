package journal

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"sync"
)

// A crashFolder is a folder in memory that loses power: what is not on disk is then lost, in part or as a whole, and what was
// being written is torn between sectors. It does no more than the interface promises.
type crashFolder struct {
	mu    sync.Mutex // of all that follows, and of the files
	rng   *rand.Rand
	names map[string]*crashFile // as they are seen
	disk  map[string]*crashFile // as they are on disk
	ops   []func()              // changes of names that are not on disk yet, oldest first

	cutIn     int // operations until the power is cut; negative: never
	failSync  int // operations until a Sync of a file fails, and forgets some of what it should have written
	failWrite int // operations until a write fails in the middle

	nothingUnderWay bool // the write during which the power is cut leaves nothing

	noFolderSync, noFileSync bool // planted faults of whoever uses it: Sync does nothing
}

const sector = 512

var (
	errCut  = errors.New("the power was cut")
	errDisk = errors.New("the disk failed")
)

func newCrashFolder(rng *rand.Rand) *crashFolder {
	return &crashFolder{rng: rng, names: map[string]*crashFile{}, disk: map[string]*crashFile{}, cutIn: -1, failSync: -1, failWrite: -1}
}

type crashWrite struct {
	at   int64
	data []byte
}

type crashFile struct {
	c       *crashFolder
	data    []byte // as it is seen
	disk    []byte
	pending []crashWrite
}

// step counts an operation. Once the power is cut, all fail.
func (c *crashFolder) step() error {
	if c.cutIn == 0 {
		return errCut
	}
	c.cutIn--
	return nil
}

// countDown reports whether a fault is due.
func countDown(n *int) bool {
	*n--
	return *n == -1
}

// crash cuts the power and gives it back.
func (c *crashFolder) crash() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, op := range c.ops[:c.rng.IntN(len(c.ops)+1)] {
		op()
	}
	c.names = map[string]*crashFile{}
	for name, f := range c.disk {
		f.lose()
		c.names[name] = f
	}
	c.ops, c.cutIn = nil, -1
}

// lose leaves some of what was written, in sectors.
func (f *crashFile) lose() {
	for _, w := range f.pending {
		for i := 0; i < len(w.data); i += sector {
			if f.c.rng.IntN(2) == 0 {
				f.disk = put(f.disk, w.at+int64(i), w.data[i:min(i+sector, len(w.data))])
			}
		}
	}
	f.pending, f.data = nil, slices.Clone(f.disk)
}

func put(dst []byte, at int64, data []byte) []byte {
	if need := int(at) + len(data); need > len(dst) {
		dst = append(dst, make([]byte, need-len(dst))...)
	}
	copy(dst[at:], data)
	return dst
}

func (c *crashFolder) change(op func(names map[string]*crashFile)) {
	op(c.names)
	c.ops = append(c.ops, func() { op(c.disk) })
}

func (c *crashFolder) List() ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for name := range c.names {
		names = append(names, name)
	}
	return names, c.step()
}

func (c *crashFolder) Open(name string) (file, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.step(); err != nil {
		return nil, err
	}
	if f := c.names[name]; f != nil {
		return f, nil
	}
	return nil, fs.ErrNotExist
}

func (c *crashFolder) Create(name string) (file, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.step(); err != nil {
		return nil, err
	}
	if c.names[name] != nil {
		return nil, fs.ErrExist
	}
	f := &crashFile{c: c}
	c.change(func(names map[string]*crashFile) { names[name] = f })
	return f, nil
}

func (c *crashFolder) Rename(from, to string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.step(); err != nil {
		return err
	}
	if c.names[from] == nil {
		return fs.ErrNotExist
	}
	c.change(func(names map[string]*crashFile) {
		if f := names[from]; f != nil {
			names[to] = f
			delete(names, from)
		}
	})
	return nil
}

func (c *crashFolder) Remove(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.step(); err != nil {
		return err
	}
	if c.names[name] == nil {
		return fs.ErrNotExist
	}
	c.change(func(names map[string]*crashFile) { delete(names, name) })
	return nil
}

func (c *crashFolder) Sync() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.step(); err != nil {
		return err
	}
	if c.noFolderSync {
		return nil
	}
	for _, op := range c.ops {
		op()
	}
	c.ops = nil
	return nil
}

func (f *crashFile) ReadAt(p []byte, off int64) (int, error) {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	if off >= int64(len(f.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *crashFile) WriteAt(p []byte, off int64) (int, error) {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	if err := f.c.step(); err != nil {
		if errors.Is(err, errCut) && !f.c.nothingUnderWay && f.c.rng.IntN(2) == 0 { // it was on its way
			f.pending = append(f.pending, crashWrite{off, slices.Clone(p)})
		}
		return 0, err
	}
	if countDown(&f.c.failWrite) {
		half := p[:f.c.rng.IntN(len(p)+1)]
		f.data = put(f.data, off, half)
		f.pending = append(f.pending, crashWrite{off, slices.Clone(half)})
		return len(half), errDisk
	}
	f.data = put(f.data, off, p)
	f.pending = append(f.pending, crashWrite{off, slices.Clone(p)})
	return len(p), nil
}

func (f *crashFile) Size() (int64, error) {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	return int64(len(f.data)), nil
}

func (f *crashFile) Sync() error {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	if err := f.c.step(); err != nil {
		return err
	}
	if countDown(&f.c.failSync) {
		for _, w := range f.pending { // some of it is written; the system forgets the rest, and still shows it
			if f.c.rng.IntN(2) == 0 {
				f.disk = put(f.disk, w.at, w.data)
			}
		}
		f.pending = nil
		return errDisk
	}
	if f.c.noFileSync {
		return nil
	}
	for _, w := range f.pending {
		f.disk = put(f.disk, w.at, w.data)
	}
	f.pending = nil
	return nil
}

func (f *crashFile) Close() error { return nil }
