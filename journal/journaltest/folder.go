// Package journaltest has a folder in memory, for tests of a journal and of what keeps one: it is slow, fails, fills up and loses
// power when a test says so.
package journaltest

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"sync"
	"time"

	"sighub/journal/folder"
)

// A Folder is a folder in memory. What is not on disk when its power is cut is lost, in part or as a whole, and what was being
// written is torn between sectors. It does no more than [folder.Folder] promises. It works with fake time, as in testing/synctest,
// and is safe for concurrent use.
type Folder struct {
	mu    sync.Mutex // of all that follows, and of the files
	rng   *rand.Rand
	names map[string]*File // as they are seen
	disk  map[string]*File // as they are on disk
	ops   []func()         // changes of names that are not on disk yet, oldest first

	faults    Faults
	cut       bool
	locked    *lock
	count     Count
	reads     int
	readBytes int64
}

// Faults are what goes wrong in a Folder. The zero value of each but those that count down means that it does not; of those, it
// is -1. See [None].
type Faults struct {
	CutIn     int   // operations until the power is cut; -1: never
	FailSync  int   // operations until a Sync of a file fails, and forgets some of what it should have written
	FailWrite int   // operations until a write fails in the middle
	Err       error // of everything that would change the disk; nil: such calls work
	ReadErr   error // of all reads
	SyncErr   error // of each Sync of a file

	SyncDelay  time.Duration // of each Sync, of a file or of the folder
	WriteDelay time.Duration
	Space      int64 // bytes that the disk has; a file that would need more cannot grow. 0: enough

	// NothingUnderWay is set if the write during which the power is cut leaves nothing.
	NothingUnderWay bool
	// NoFolderSync and NoFileSync are planted faults of whoever uses the folder: Sync does nothing.
	NoFolderSync, NoFileSync bool
}

// None returns Faults that do nothing.
func None() Faults { return Faults{CutIn: -1, FailSync: -1, FailWrite: -1} }

// A Count is what was done in a folder.
type Count struct {
	Syncs       int   // of files
	FolderSyncs int   //
	Writes      int   //
	Bytes       int64 // written
}

const sector = 512

// The errors of a Folder.
var (
	ErrCut     = errors.New("the power was cut")
	ErrDisk    = errors.New("the disk failed")
	ErrNoSpace = errors.New("no space is left on the disk")
)

// NewFolder returns an empty folder. The seed decides what is left after a power cut.
func NewFolder(seed uint64) *Folder {
	return &Folder{rng: rand.New(rand.NewPCG(seed, 1)), names: map[string]*File{}, disk: map[string]*File{}, faults: None()}
}

// SetFaults replaces all faults.
func (c *Folder) SetFaults(f Faults) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = f
}

// Faults returns the faults, as far as they have counted down.
func (c *Folder) Faults() Faults {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.faults
}

// Count returns what was done so far.
func (c *Folder) Count() Count {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

// Reads returns how often something was read of a file.
func (c *Folder) Reads() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reads
}

// ReadBytes returns how many bytes were asked for in these reads.
func (c *Folder) ReadBytes() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.readBytes
}

// Cut cuts the power: from now on everything fails with [ErrCut]. A Sync that is under way has written nothing for certain.
func (c *Folder) Cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = true
}

// Restore cuts the power, if that was not done, and gives it back. What is then there is what was on disk, and some of what was on
// its way there. All faults are over. Files that are still open are those of the disk; a test stops whoever has them first.
func (c *Folder) Restore() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, op := range c.ops[:c.rng.IntN(len(c.ops)+1)] {
		op()
	}
	c.names = map[string]*File{}
	for name, f := range c.disk {
		f.lose()
		c.names[name] = f
	}
	c.ops, c.cut, c.locked, c.faults = nil, false, nil, None()
}

// Damage changes what a file has on disk. It is for tests of rot.
func (c *Folder) Damage(name string, damage func(data []byte)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.names[name]
	if f == nil {
		panic("journaltest: there is no file " + name)
	}
	damage(f.disk.whole())
	damage(f.data.whole())
}

// Lie has the disk lose all that was not written, although it said that it was. See [Faults].NoFileSync.
func (c *Folder) Lie() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.names {
		f.pending = nil
	}
}

// Bad has a part of a file that cannot be read: length bytes from at on.
func (c *Folder) Bad(name string, at, length int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.names[name]
	if f == nil {
		panic("journaltest: there is no file " + name)
	}
	f.bad = [2]int64{at, at + length}
}

// step counts an operation. Once the power is cut, all fail.
func (c *Folder) step(changes bool) error {
	if c.cut || c.faults.CutIn == 0 {
		c.cut = true
		return ErrCut
	}
	if c.faults.CutIn > 0 {
		c.faults.CutIn--
	}
	if changes {
		return c.faults.Err
	}
	return c.faults.ReadErr
}

// countDown reports whether a fault is due.
func countDown(n *int) bool {
	if *n >= 0 {
		*n--
		return *n == -1
	}
	return false
}

func (c *Folder) change(op func(names map[string]*File)) {
	op(c.names)
	c.ops = append(c.ops, func() { op(c.disk) })
}

// List implements [folder.Folder].
func (c *Folder) List() ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for name := range c.names {
		names = append(names, name)
	}
	return names, c.step(false)
}

// Open implements [folder.Folder].
func (c *Folder) Open(name string) (folder.File, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.step(false); err != nil {
		return nil, err
	}
	if f := c.names[name]; f != nil {
		return f, nil
	}
	return nil, fs.ErrNotExist
}

// Create implements [folder.Folder].
func (c *Folder) Create(name string) (folder.File, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.step(true); err != nil {
		return nil, err
	}
	if c.names[name] != nil {
		return nil, fs.ErrExist
	}
	f := &File{c: c}
	c.change(func(names map[string]*File) { names[name] = f })
	return f, nil
}

// Rename implements [folder.Folder].
func (c *Folder) Rename(from, to string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.step(true); err != nil {
		return err
	}
	if c.names[from] == nil {
		return fs.ErrNotExist
	}
	c.change(func(names map[string]*File) {
		if f := names[from]; f != nil {
			names[to] = f
			delete(names, from)
		}
	})
	return nil
}

// Remove implements [folder.Folder].
func (c *Folder) Remove(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.step(true); err != nil {
		return err
	}
	if c.names[name] == nil {
		return fs.ErrNotExist
	}
	c.change(func(names map[string]*File) { delete(names, name) })
	return nil
}

// Sync implements [folder.Folder].
func (c *Folder) Sync() error {
	time.Sleep(c.Faults().SyncDelay)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count.FolderSyncs++
	if err := c.step(true); err != nil {
		return err
	}
	if c.faults.NoFolderSync {
		return nil
	}
	for _, op := range c.ops {
		op()
	}
	c.ops = nil
	return nil
}

// A lock is that of a folder. It is gone after a loss of power.
type lock struct{ c *Folder }

// Lock implements [folder.Folder].
func (c *Folder) Lock() (io.Closer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.locked != nil {
		return nil, folder.ErrLocked
	}
	c.locked = &lock{c}
	return c.locked, nil
}

// Close releases the lock.
func (l *lock) Close() error {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	if l.c.locked == l {
		l.c.locked = nil
	}
	return nil
}

// Space implements [folder.Folder].
func (c *Folder) Space() (total, free int64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.faults.Space == 0 {
		return 0, 0, nil
	}
	return c.faults.Space, max(0, c.faults.Space-c.used()), nil
}

func (c *Folder) used() (sum int64) {
	for _, f := range c.names {
		sum += f.data.size
	}
	return sum
}
