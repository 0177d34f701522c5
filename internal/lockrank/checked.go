//go:build lockrank

package lockrank

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// A Mutex is a sync.Mutex with a rank, which holds the order of locks.
type Mutex[R Rank] struct {
	mu      sync.Mutex
	watched bool // by whoever holds it
}

// Lock locks m. It panics if this goroutine holds a lock whose rank is not lower.
//
// To ask for the goroutine's number takes as long as much of what is done under a lock. So a line of code that takes a lock
// thousands of times is not watched each time, unless some lock is being watched: that may be one that is held here.
func (m *Mutex[R]) Lock() {
	var rank R
	watch := watching.Load() > 0 || sample()
	if watch {
		take(rank)
	}
	m.mu.Lock()
	m.watched = watch
}

// Unlock unlocks m.
func (m *Mutex[R]) Unlock() {
	watched := m.watched
	m.mu.Unlock()
	if watched {
		var rank R
		give(rank)
	}
}

// watching is how many locks are held whose holders are known.
var watching atomic.Int64

// sites counts how often each line of code has taken a lock.
var sites sync.Map // of *atomic.Uint64, by program counter

const (
	always = 1000 // times that each line of code is watched
	seldom = 64   // after that, one in so many
)

// sample reports whether this time the caller's caller is watched, as all are at first and some are later on.
func sample() bool {
	var pc [1]uintptr
	runtime.Callers(3, pc[:])
	count, ok := sites.Load(pc[0])
	if !ok {
		count, _ = sites.LoadOrStore(pc[0], new(atomic.Uint64))
	}
	n := count.(*atomic.Uint64).Add(1)
	return n <= always || n%seldom == 0
}

// held are the ranks that each goroutine holds, a *[]Rank by the goroutine's number.
var held sync.Map

func take(r Rank) {
	v, _ := held.LoadOrStore(goroutine(), new([]Rank))
	ranks := v.(*[]Rank) // no other goroutine has this one's
	for _, other := range *ranks {
		if other.rank() >= r.rank() {
			panic(fmt.Sprintf("lockrank: %T is taken while %T is held", r, other))
		}
	}
	*ranks = append(*ranks, r)
	watching.Add(1)
}

func give(r Rank) {
	g := goroutine()
	v, _ := held.Load(g)
	ranks := v.(*[]Rank)
	i := slices.Index(*ranks, r)
	if *ranks = slices.Delete(*ranks, i, i+1); len(*ranks) == 0 {
		held.Delete(g)
	}
	watching.Add(-1)
}

// MustBeFree panics if this goroutine holds a Mutex.
func MustBeFree(what string) {
	if watching.Load() == 0 {
		return
	}
	if v, ok := held.Load(goroutine()); ok {
		panic(fmt.Sprintf("lockrank: %s while %T is held", what, (*v.(*[]Rank))[0]))
	}
}

// goroutine returns the goroutine's number: its stack trace begins with "goroutine 18 [running]:".
func goroutine() (number uint64) {
	var buf [32]byte
	for _, c := range buf[len("goroutine "):runtime.Stack(buf[:], false)] {
		if c < '0' || c > '9' {
			break
		}
		number = 10*number + uint64(c-'0')
	}
	return number
}

// Logger returns a logger that panics when it is used under a Mutex.
func Logger(l *slog.Logger) *slog.Logger { return slog.New(freeHandler{l.Handler()}) }

type freeHandler struct{ slog.Handler }

func (h freeHandler) Enabled(ctx context.Context, level slog.Level) bool {
	MustBeFree("a log record is written")
	return h.Handler.Enabled(ctx, level)
}

func (h freeHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return freeHandler{h.Handler.WithAttrs(attrs)}
}

func (h freeHandler) WithGroup(name string) slog.Handler {
	return freeHandler{h.Handler.WithGroup(name)}
}
