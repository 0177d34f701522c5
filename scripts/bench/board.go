package main

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// A board has the counts of all listeners of a crowd. Those who send, those who listen and whoever watches them share it, and each
// may be a process of its own.
type board struct {
	counts []count
	mapped []byte
}

// A count is what one listener has heard. One goroutine writes the first three, and whoever settles the fourth.
type count struct {
	fresh    atomic.Uint64 // messages, each counted once
	repeated atomic.Uint64 // numbers that came before: doubled, or out of order
	garbled  atomic.Uint64 // messages that no sender has sent
	lost     atomic.Uint64 // messages that are not waited for any more

	_ [96]byte // counts are written by different cores
}

// newBoard returns the board of so many listeners within this process.
func newBoard(listeners int) *board { return &board{counts: make([]count, listeners)} }

// openBoard maps a board from a file, which it makes if it is not there. All who map it see the same.
func openBoard(file string, listeners int) (*board, error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // what is mapped stays
	size := max(1, listeners) * int(unsafe.Sizeof(count{}))
	if err := f.Truncate(int64(size)); err != nil {
		return nil, err
	}
	mapped, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", file, err)
	}
	return &board{unsafe.Slice((*count)(unsafe.Pointer(&mapped[0])), listeners), mapped}, nil
}

// close unmaps the board. Nobody may use it any more.
func (b *board) close() {
	if b.mapped != nil {
		_ = syscall.Munmap(b.mapped) // it was mapped
		b.mapped, b.counts = nil, nil
	}
}

func (b *board) heard() (n uint64) {
	for i := range b.counts {
		n += b.counts[i].fresh.Load()
	}
	return n
}

// slowest returns how many messages the slowest listener has heard, or does not wait for.
func (b *board) slowest() uint64 {
	least := ^uint64(0)
	for i := range b.counts {
		least = min(least, b.counts[i].fresh.Load()+b.counts[i].lost.Load())
	}
	return least
}
