package carrier

import (
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Clients is a registry of the clients of one carrier, of whatever type the carrier has for them. It gives each an id
// that is never used again. The zero Clients is empty and ready for use, by several goroutines at once.
type Clients[T any] struct {
	mu   sync.RWMutex
	last ClientID
	live map[ClientID]T
}

// Add adds a client, which can be found from here on, and returns its id.
func (c *Clients[T]) Add(client T) ClientID {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live == nil {
		c.live = make(map[ClientID]T)
	}
	c.last++
	c.live[c.last] = client
	return c.last
}

// Remove removes a client, if it is there.
func (c *Clients[T]) Remove(id ClientID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.live, id)
}

// Find returns a client that is connected. For any other id the error is the one that Transmit returns: [ErrNoClient]
// if there never was such a client, [ErrGone] if it has gone.
func (c *Clients[T]) Find(id ClientID) (T, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	client, ok := c.live[id]
	switch {
	case ok:
		return client, nil
	case id == 0 || id > c.last:
		return client, fmt.Errorf("%w: %d", ErrNoClient, id)
	default:
		return client, fmt.Errorf("%w: %d", ErrGone, id)
	}
}

// All returns the clients that are connected, in no particular order.
func (c *Clients[T]) All() []T {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Collect(maps.Values(c.live))
}

// Len returns how many clients are connected.
func (c *Clients[T]) Len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.live)
}
