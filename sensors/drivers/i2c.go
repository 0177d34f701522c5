package drivers

import (
	"encoding/binary"
	"errors"
	"fmt"

	"periph.io/x/conn/v3/i2c"
)

// An i2cDevice is the common part of all chips on I2C. It keeps what goes over the bus in its arrays, so that nothing is
// allocated.
type i2cDevice struct {
	pause
	bus  i2c.Bus
	addr uint16
	out  [8]byte
	in   [32]byte
}

type i2cChip interface {
	chip
	connect(bus i2c.Bus, addr uint16)
}

func (d *i2cDevice) connect(bus i2c.Bus, addr uint16) { d.bus, d.addr = bus, addr }

// write sends up to 8 bytes.
func (d *i2cDevice) write(b ...byte) error {
	n := copy(d.out[:], b)
	if err := d.bus.Tx(d.addr, d.out[:n], nil); err != nil {
		return fmt.Errorf("writing % x: %w", d.out[:n], err)
	}
	return nil
}

// read sends w, if it is not empty, and reads n bytes. They are valid until the next call.
func (d *i2cDevice) read(n int, b ...byte) ([]byte, error) {
	w := d.out[:copy(d.out[:], b)]
	if len(w) == 0 {
		w = nil // no write at all, instead of an empty one
	}
	if err := d.bus.Tx(d.addr, w, d.in[:n]); err != nil {
		if w == nil {
			return nil, fmt.Errorf("reading: %w", err)
		}
		return nil, fmt.Errorf("reading after % x: %w", w, err)
	}
	return d.in[:n], nil
}

// word reads 16 bits, the upper byte first.
func (d *i2cDevice) word(b ...byte) (uint16, error) {
	in, err := d.read(2, b...)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint16(in), nil
}

// Errors of lines that always read the same. A line that is short-circuited acknowledges everything and reads 0; one that
// nobody holds reads 1.
var (
	errLow  = errors.New("every bit is 0: the bus is held low by a short circuit, or the device has no power")
	errHigh = errors.New("every bit is 1: the device does not answer")
)

// stuck returns an error if every bit is the same, which no device with a checksum or an identity answers.
func stuck(b []byte) error {
	for _, x := range b {
		if x != b[0] {
			return nil
		}
	}
	switch b[0] {
	case 0x00:
		return errLow
	case 0xff:
		return errHigh
	}
	return nil
}

// nobody is an I2C address that no device may have: it is reserved (NXP, UM10204, revision 7, table 4).
const nobody = 0x03

// heldLow returns an error if the bus is held low: then it seems that a device answers at every address. It is for devices
// that have nothing to read but their values.
func (d *i2cDevice) heldLow() error {
	if d.bus.Tx(nobody, nil, d.in[:1]) == nil && d.in[0] == 0 {
		return errLow
	}
	return nil
}

var errCRC = errors.New("the checksum is wrong: the reading was damaged on the bus")

// crc8 is the checksum of Sensirion, ASAIR and of TI's humidity sensors: polynomial x^8 + x^5 + x^4 + 1, from FF, not
// reflected. Of BE EF it is 92 (Sensirion, Datasheet SHT3x-DIS, version 7, "Checksum Calculation"), of AB CD 6F (TI,
// HDC302x, SNAS778, "CRC").
func crc8(b []byte) byte {
	crc := byte(0xff)
	for _, x := range b {
		crc ^= x
		for range 8 {
			if crc&0x80 != 0 {
				crc = crc<<1 ^ 0x31
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}

// checkWords checks 16-bit words, each followed by its checksum.
func checkWords(b []byte) error {
	for ; len(b) >= 3; b = b[3:] {
		if crc8(b[:2]) != b[2] {
			return errCRC
		}
	}
	return nil
}
