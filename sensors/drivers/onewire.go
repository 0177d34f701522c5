package drivers

import (
	"encoding/binary"
	"errors"
	"fmt"

	"periph.io/x/conn/v3/onewire"
)

// A oneWireDevice is the part that all chips on 1-Wire share. What goes to the bus lies in its arrays, so that nothing is
// allocated for it.
type oneWireDevice struct {
	pause
	bus onewire.Bus
	out [16]byte // "match ROM" and the address, then what is for the device
	in  [9]byte
}

type oneWireChip interface {
	chip
	connect(bus onewire.Bus, addr onewire.Address)
}

const matchROM = 0x55

func (d *oneWireDevice) connect(bus onewire.Bus, addr onewire.Address) {
	d.bus = bus
	d.out[0] = matchROM
	binary.LittleEndian.PutUint64(d.out[1:], uint64(addr))
}

// tx addresses the device, sends up to 7 bytes and reads n, which are valid until the next call. The power is what the
// bus supplies afterwards: a strong one feeds devices that have no other.
func (d *oneWireDevice) tx(power onewire.Pullup, n int, b ...byte) ([]byte, error) {
	w := d.out[:9+copy(d.out[9:], b)]
	r := d.in[:n]
	if n == 0 {
		r = nil
	}
	if err := d.bus.Tx(w, r, power); err != nil {
		return nil, fmt.Errorf("command %02x: %w", d.out[9], err)
	}
	return r, nil
}

// checkROM tells what is wrong with a device's address: its lowest byte is the family, its highest the checksum.
func checkROM(addr onewire.Address, family byte) error {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(addr))
	if b[0] != family {
		return fmt.Errorf("address %016x: it ends in %02x, but such a device's in %02x", uint64(addr), b[0], family)
	}
	if !onewire.CheckCRC(b[:]) {
		return fmt.Errorf("address %016x: it is mistyped: its first two digits should be %02x", uint64(addr),
			onewire.CalcCRC(b[:7]))
	}
	return nil
}

var errNoPresence = errors.New("nothing answers")
