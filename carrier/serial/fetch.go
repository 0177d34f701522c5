package serial

import (
	"fmt"

	"sighub/carrier"
	"sighub/carrier/serial/internal/wire"
)

const fetchID = 0 // the id of frames that fetch a dictionary; carrier.Calls counts from 1

// learn finds the device's dictionary: remembered from its hash, in this run or one before, or fetched from the device.
// Without a dictionary the device is served all the same. An error that wraps carrier.ErrGone means that it has gone.
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
			return fmt.Errorf("serial: its hash is %08x, but HELLO said %08x", got, want)
		}
		if c.dict, err = wire.ParseDictionary(packed); err != nil {
			return err
		}
		c.server.running.Go(func() { c.server.store.save(want, packed) }) // a slow disk keeps no device waiting
	}
	c.server.mu.Lock()
	c.server.dictionaries.add(want, c.dict)
	c.server.mu.Unlock()
	return nil
}

// fetch asks the device for its dictionary, piece by piece, until it gives an empty piece.
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
			return nil, fmt.Errorf("%w: more than %d bytes", carrier.ErrTooLarge, wire.MaxDictionary)
		}
	}
}

func (c *client) piece(offset int) ([]byte, error) {
	_ = c.Send(fetchID, wire.PackFetch(offset)) // the error is that c.lost is closed
	select {
	case reply := <-c.fetched:
		r := wire.UnpackReply(reply)
		if err := r.Err(); err != nil {
			return nil, fmt.Errorf("serial: the device does not give it: %w", err)
		}
		if r.Response.IsNull() {
			return nil, nil
		}
		var piece []byte
		if err := r.Response.Decode(&piece); err != nil {
			return nil, fmt.Errorf("serial: what the device gives is no byte string: %w", err)
		}
		return piece, nil
	case <-c.lost:
		return nil, fmt.Errorf("%w: %w", carrier.ErrGone, c.cause)
	}
}
