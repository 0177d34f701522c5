// Package buffers lends buffers, so that an idle connection needs none.
package buffers

import (
	"sync"

	"sighub/carrier"
)

// keep is the capacity in bytes up to which a buffer is kept for reuse. It has some room beyond a peer's pending signals.
const keep = 2 * carrier.PendingLimit

// A Pool lends buffers. The zero Pool is ready to use, by several goroutines.
type Pool struct{ pool sync.Pool }

// Get returns an empty buffer.
func (p *Pool) Get() *[]byte {
	if b, ok := p.pool.Get().(*[]byte); ok {
		return b
	}
	return new([]byte)
}

// Put takes a buffer back, unless one large message made it larger than it is worth keeping.
func (p *Pool) Put(b *[]byte) {
	if cap(*b) <= keep {
		*b = (*b)[:0]
		p.pool.Put(b)
	}
}
