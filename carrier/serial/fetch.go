package serial

import (
	"fmt"

	"sighub/carrier"
	"sighub/carrier/serial/internal/wire"
)

// fetchID is the id of the messages that fetch a dictionary. Those of carrier.Calls count from 1.
const fetchID = 0

// learn finds the device's dictionary by its hash, in memory or in the store, or fetches it from the device. A device may
// have none. An error that wraps [carrier.ErrGone] means that the device has gone.
func (c *client) learn() error {
	want := c.hello.Dictionary
	if want == 0 {
		return nil
	}
	c.server.mu.Lock()
	c.dict = c.server.dictionaries[want]
	c.server.mu.Unlock()
	if c.dict != nil {
		return nil
	}
	if c.dict = c.server.store.load(want); c.dict == nil {
		packed, err := c.fetch()
		if err != nil {
			return err
		}
		if got := wire.HashDictionary(packed); got != want {
			return fmt.Errorf("serial: the dictionary's hash must be %08x, as in HELLO, not %08x", want, got)
		}
		if c.dict, err = wire.ParseDictionary(packed); err != nil {
			return err
		}
		c.server.running.Go(func() { c.server.store.save(want, packed) }) // so that the device does not wait for the disk
	}
	c.server.mu.Lock()
	c.server.dictionaries.add(want, c.dict)
	c.server.mu.Unlock()
	return nil
}

// fetch fetches the dictionary piece by piece, up to an empty piece.
func (c *client) fetch() (packed []byte, err error) {
	for {
		piece, err := c.piece(len(packed))
		if err != nil {
			return nil, err
		}
		if len(piece) == 0 {
			return packed, nil
		}
		if packed = append(packed, piece...); len(packed) > wire.MaxDictionary {
			return nil, fmt.Errorf("%w: the dictionary has more than %d bytes", carrier.ErrTooLarge, wire.MaxDictionary)
		}
	}
}

// piece fetches the piece of the dictionary at an offset.
func (c *client) piece(offset int) ([]byte, error) {
	_ = c.Send(fetchID, wire.PackFetch(offset)) // if it fails, lost is closed
	select {
	case reply := <-c.fetched:
		r := wire.UnpackReply(reply)
		if err := r.Err(); err != nil {
			return nil, fmt.Errorf("serial: the device refuses to give its dictionary: %w", err)
		}
		if r.Response.IsNull() {
			return nil, nil
		}
		var piece []byte
		if err := r.Response.Decode(&piece); err != nil {
			return nil, fmt.Errorf("serial: a piece of the dictionary must be a byte string: %w", err)
		}
		return piece, nil
	case <-c.lost:
		return nil, fmt.Errorf("%w: %w", carrier.ErrGone, c.cause)
	}
}
