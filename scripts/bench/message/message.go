// Package message has what every message of the benchmark carries, and the clock that goes with it.
package message

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// The sizes that messages may have, in bytes. What a message says takes the least of them.
const (
	Least = 32
	Usual = 64
	Most  = 32 << 10
)

// Size is the size of every message of every peer, in bytes.
var Size = Usual

// Filler fills a payload up to Size.
var Filler = strings.Repeat(".", Usual-Least)

// SetSize sets Size, before there is any message.
func SetSize(n int) error {
	if n < Least || n > Most {
		return fmt.Errorf("a payload of %d bytes: it must have from %d to %d", n, Least, Most)
	}
	Size, Filler = n, strings.Repeat(".", n-Least)
	return nil
}

// Write writes the payload of a message. It is printable text without quotes, so that no format has to escape it, not even JSON. Each byte holds 4 bits,
// as a letter from @ to O. It contains the sender (8 letters), the number of the message (8), the sender's clock in nanoseconds (16), and
// the Filler.
func Write(p []byte, sender, seq uint32, at time.Duration) {
	binary.BigEndian.PutUint64(p, spread(sender))
	binary.BigEndian.PutUint64(p[8:], spread(seq))
	binary.BigEndian.PutUint64(p[16:], spread(uint32(uint64(at)>>32)))
	binary.BigEndian.PutUint64(p[24:], spread(uint32(at)))
	copy(p[32:Size], Filler)
}

// Read is the inverse of Write. ok is false for bytes that Write did not write.
func Read(p []byte) (sender, seq uint32, at time.Duration, ok bool) {
	if len(p) != Size || string(p[32:]) != Filler {
		return 0, 0, 0, false
	}
	words := [4]uint64{}
	for i := range words {
		words[i] = binary.BigEndian.Uint64(p[8*i:])
		if words[i]&letterMask != letters {
			return 0, 0, 0, false
		}
	}
	at = time.Duration(uint64(gather(words[2]))<<32 | uint64(gather(words[3])))
	return gather(words[0]), gather(words[1]), at, true
}

// Eight letters without bits.
const (
	letters    = 0x4040404040404040
	letterMask = 0xf0f0f0f0f0f0f0f0
)

// spread puts each 4 bits into their own byte, by halves.
func spread(v uint32) uint64 {
	x := uint64(v)
	x = (x | x<<16) & 0x0000ffff0000ffff
	x = (x | x<<8) & 0x00ff00ff00ff00ff
	x = (x | x<<4) & 0x0f0f0f0f0f0f0f0f
	return x | letters
}

func gather(x uint64) uint32 {
	x &= 0x0f0f0f0f0f0f0f0f
	x = (x | x>>4) & 0x00ff00ff00ff00ff
	x = (x | x>>8) & 0x0000ffff0000ffff
	return uint32(x | x>>16)
}
