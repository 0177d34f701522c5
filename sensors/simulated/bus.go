package simulated

import (
	"errors"
	"sync"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
)

// BusOptions are those of a Bus. The zero value is ready to use.
type BusOptions struct {
	// Place is what its chips measure.
	Place Drift
	// PulledOut is called before each transaction. While it returns true, nothing answers and the chips have no power. Nil:
	// never.
	PulledOut func() bool
	// Now is the clock: time.Now by default.
	Now func() time.Time
}

// A Bus is an I2C bus with simulated chips that behave as their data sheets say, register by register. The chips that [Chips]
// lists are there, at every address that they can have.
type Bus struct {
	opts  BusOptions
	mu    sync.Mutex
	chips map[uint16]chip // those that were used since power-up
}

var _ i2c.BusCloser = (*Bus)(nil)

// Chips returns the drivers for the chips on a Bus.
func Chips() []string { return []string{"bh1750", "bme280", "tmp102"} }

// A chip receives what is written to it, if anything, and then fills in what is read from it, if anything. An error means that
// it does not acknowledge.
type chip interface {
	tx(w, r []byte, now time.Time) error
}

var errNoAnswer = errors.New("simulated: no acknowledgement")

// NewBus returns a Bus.
func NewBus(o BusOptions) *Bus {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Bus{opts: o, chips: make(map[uint16]chip)}
}

// String returns the name of the bus.
func (b *Bus) String() string { return "sim" }

// SetSpeed implements i2c.Bus. Any speed will do.
func (b *Bus) SetSpeed(physic.Frequency) error { return nil }

// Close implements i2c.BusCloser. The chips keep their power.
func (b *Bus) Close() error { return nil }

// Tx implements i2c.Bus.
func (b *Bus) Tx(addr uint16, w, r []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.opts.PulledOut != nil && b.opts.PulledOut() {
		clear(b.chips)
		return errNoAnswer
	}
	c := b.chips[addr]
	if c == nil {
		if c = newChip(addr, b.opts.Place); c == nil {
			return errNoAnswer
		}
		b.chips[addr] = c
	}
	return c.tx(w, r, b.opts.Now())
}

// newChip returns the chip at an address as it is after power-up, or nil if no chip has that address.
func newChip(addr uint16, place Drift) chip {
	switch addr {
	case 0x23, 0x5c:
		return newBH1750(place)
	case 0x48, 0x49, 0x4a, 0x4b:
		return newTMP102(place)
	case 0x76, 0x77:
		return newBME280(place)
	}
	return nil
}
