// Package disk is a disk in memory whose power can be cut. It has a volatile cache: what was written and not flushed may be lost
// at the cut, each write for itself, and a write may be torn between sectors of 512 bytes. It keeps a log of everything that
// happened to it, so that the power can also be cut afterwards, at any place of the log and as often as wanted.
package disk

import "sync"

// Sector is what a disk writes as a whole, in bytes.
const Sector = 512

// An entry of the log.
type entry struct {
	at    int64
	data  []byte // of a write
	flush bool
	force bool // a write that bypasses the cache
	note  any
}

// A Disk is safe for concurrent use.
type Disk struct {
	mu       sync.Mutex
	base     *Image // where the log begins
	now      *Image // as it is read
	log      []entry
	frozen   bool          // the power was cut: the log has ended
	left     int           // writes until that happens; negative: it does not
	cut      chan struct{} // closed when it happens
	released chan struct{} // closed when whoever waits for the disk is let go
}

// New returns a disk with this content, which must not be changed any more.
func New(content *Image) *Disk {
	return &Disk{base: content, now: content.Clone(), left: -1, cut: make(chan struct{}), released: make(chan struct{})}
}

// Size returns the size in bytes.
func (d *Disk) Size() int64 { return d.base.Size() }

// Read copies what lies at an offset.
func (d *Disk) Read(p []byte, at int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now.Read(p, at)
}

// Write writes data, of which it takes possession. It is in the cache afterwards, or, with force, on disk.
func (d *Disk) Write(data []byte, at int64, force bool) {
	d.mu.Lock()
	d.now.Write(data, at)
	on := d.add(entry{at: at, data: data, force: force})
	d.mu.Unlock()
	d.hang(on)
}

// Flush has everything on disk that was written before.
func (d *Disk) Flush() {
	d.mu.Lock()
	on := d.add(entry{flush: true})
	d.mu.Unlock()
	d.hang(on)
}

// Note puts something else into the log, which so has one order with what happens to the disk. It reports whether the disk still
// has power: a note that comes later is too late.
func (d *Disk) Note(note any) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.add(entry{note: note})
}

// add reports whether the disk has power. It is called with the lock held.
func (d *Disk) add(e entry) bool {
	if d.frozen {
		return false
	}
	d.log = append(d.log, e)
	if e.data != nil && d.left >= 0 {
		if d.left--; d.left < 0 {
			d.freeze()
		}
	}
	return true
}

// freeze is called with the lock held.
func (d *Disk) freeze() {
	if !d.frozen {
		d.frozen = true
		close(d.cut)
	}
}

// hang waits, on a disk without power, until nobody is there any more who could take its answer for true.
func (d *Disk) hang(on bool) {
	if !on {
		<-d.released
	}
}

// Freeze cuts the power: the log ends here. Whoever writes to the disk hangs until Release.
func (d *Disk) Freeze() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.freeze()
}

// FreezeAfter cuts the power after so many more writes, at the moment when the last one of them is in the cache, and returns a
// channel that is closed then.
func (d *Disk) FreezeAfter(writes int) <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left = writes - 1
	return d.cut
}

// Release lets those go who hang, so that they can be ended in peace. They are told that they have written, and have not.
func (d *Disk) Release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-d.released:
	default:
		close(d.released)
	}
}
