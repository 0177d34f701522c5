package drivers

import (
	"encoding/binary"
	"fmt"

	"periph.io/x/conn/v3/onewire"
)

// A oneWireDevice is the common part of all chips on 1-Wire. It keeps what goes over the bus in its arrays, so that nothing is
// allocated.
type oneWireDevice struct {
	pause
	bus onewire.Bus
	out [16]byte // "match ROM" and the address, then what the device receives
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

// tx addresses the device, sends up to 7 bytes and reads n bytes, which are valid until the next call. power is what the bus
// supplies after that: strong for devices without other power.
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

// checkROM returns what is wrong with an address: its lowest byte is the family, its highest the checksum.
func checkROM(addr onewire.Address, family byte) error {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(addr))
	if b[0] != family {
		return fmt.Errorf("address %016x must end in %02[3]x, not %02[2]x: this is another kind of device", uint64(addr), b[0], family)
	}
	if !onewire.CheckCRC(b[:]) {
		return fmt.Errorf("address %016x is mistyped: it should begin with %02x", uint64(addr),
			onewire.CalcCRC(b[:7]))
	}
	return nil
}
