package local

import (
	"context"
	"fmt"
	"sync"

	"sighub/carrier"
)

// clients are the clients that one carrier has, and the number of those it ever had.
type clients struct {
	mu   sync.Mutex
	last carrier.ClientID
	live map[carrier.ClientID]*end
}

func (c *clients) add(e *end) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live == nil {
		c.live = make(map[carrier.ClientID]*end)
	}
	c.last++
	e.client.ID = c.last
	c.live[e.client.ID] = e
}

func (c *clients) remove(e *end) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.live, e.client.ID)
}

func (c *clients) all() []*end {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]*end, 0, len(c.live))
	for _, e := range c.live {
		all = append(all, e)
	}
	return all
}

// find returns a client that is connected.
func (c *clients) find(id carrier.ClientID) (*end, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e := c.live[id]; {
	case e != nil:
		return e, nil
	case id == 0 || id > c.last:
		return nil, fmt.Errorf("%w: local client %d", carrier.ErrNoClient, id)
	default:
		return nil, fmt.Errorf("%w: local client %d", carrier.ErrGone, id)
	}
}

func (c *clients) transmit(ctx context.Context, id carrier.ClientID, m *carrier.Message, done func(carrier.Reply, error)) error {
	e, err := c.find(id)
	if err != nil {
		return err
	}
	return e.transmit(ctx, m, done)
}
