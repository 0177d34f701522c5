package serial

import (
	"fmt"

	"sighub/carrier"
	"sighub/carrier/serial/internal/wire"
)

// maxFetches is how often a dictionary is fetched whose hash is not that of HELLO.
const maxFetches = 2

// fetchID is the id of the messages that fetch a dictionary. Those of carrier.Calls count from 1.
const fetchID = 0

// A dictionaryKey says which dictionary a device has: between two starts it stays the same. The hash alone does not name a
// dictionary, because another one with the same FNV-1a is found in a second; and a device that starts anew may run another
// program.
type dictionaryKey struct {
	uid        string
	boot, hash uint32
}

// learn finds the device's dictionary: the hub has learned it since the device was started, or one before it has and left it
// in the store, or it is fetched from the device. A device may have none. An error that wraps [carrier.ErrGone] means that
// the device has gone.
func (c *client) learn() error {
	key := dictionaryKey{c.device.ID, c.hello.Boot, c.hello.Dictionary}
	if key.hash == 0 {
		return nil
	}
	packed, err := c.packed(key)
	if err != nil {
		return err
	}
	if c.dict, err = wire.ParseDictionary(packed); err != nil {
		return err
	}
	if c.hello.Mute && len(c.dict.Events) > 0 {
		return fmt.Errorf("serial: the device reports nothing: its dictionary has %d events, for which its program has no room; "+
			"compile it with -DSIGHUB_EVENTS=%d", len(c.dict.Events), len(c.dict.Events))
	}
	return c.dict.Problem
}

// packed returns the packed dictionary, and remembers it.
func (c *client) packed(key dictionaryKey) (packed []byte, err error) {
	c.server.mu.Lock()
	if c.record.dictionaryOfBoot == key {
		packed = c.record.dictionary
	}
	c.server.mu.Unlock()
	if packed != nil {
		return packed, nil
	}
	if packed = c.server.store.load(key); packed == nil {
		for tries := 1; ; tries++ { // a piece may have been damaged without a trace
			if packed, err = c.fetch(); err != nil {
				return nil, err
			}
			got := wire.HashDictionary(packed)
			if got == key.hash {
				break
			}
			if tries == maxFetches {
				return nil, fmt.Errorf("serial: the dictionary's hash must be %08x, as in HELLO, not %08x", key.hash, got)
			}
		}
		c.server.running.Go(func() { c.server.store.save(key, packed) }) // so that the device does not wait for the disk
	}
	c.server.mu.Lock()
	c.record.dictionary, c.record.dictionaryOfBoot = packed, key
	c.server.mu.Unlock()
	return packed, nil
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
