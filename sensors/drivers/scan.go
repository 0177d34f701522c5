package drivers

import (
	"context"
	"fmt"
	"slices"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/onewire"
)

// A Found is a device that answers on a bus, and the drivers that may fit.
type Found struct {
	Addr    uint64
	Drivers []string
	// Sure means that the device has identified itself. Otherwise only its address is known, which other devices may use too.
	Sure bool
}

// ScanI2C looks for devices at the addresses of the catalogue's drivers, in order. It does not touch other addresses: some
// devices treat any access as a command.
func ScanI2C(ctx context.Context, bus i2c.Bus) ([]Found, error) {
	var found []Found
	for addr := uint16(0x08); addr < 0x78; addr++ {
		f := Found{Addr: uint64(addr)}
		var possible []Driver
		for _, d := range Catalogue() {
			if d.Bus == I2C && slices.Contains(d.Addresses, addr) {
				possible, f.Drivers = append(possible, d), append(f.Drivers, d.Name)
			}
		}
		if len(possible) == 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return found, fmt.Errorf("drivers: looking for devices on %s: %w", bus, context.Cause(ctx))
		}
		if name := identify(ctx, bus, addr, possible); name != "" {
			f.Drivers, f.Sure = []string{name}, true
		} else if bus.Tx(addr, nil, make([]byte, 1)) != nil {
			continue // nothing answers
		}
		found = append(found, f)
	}
	return found, nil
}

// identify returns the first driver that recognises the device at an address. It tries even if nothing seems to be there: some
// devices answer only their own commands.
func identify(ctx context.Context, bus i2c.Bus, addr uint16, possible []Driver) string {
	for _, d := range possible {
		if !d.identifies {
			continue
		}
		if s, err := d.OpenI2C(ctx, bus, addr, Options{}); err == nil {
			_ = s.Close() // it was found, whether or not it rests now
			return d.Name
		}
	}
	return ""
}

// ScanOneWire looks for devices on a 1-Wire bus. Drivers is empty for a device without a driver.
func ScanOneWire(bus onewire.Bus) ([]Found, error) {
	addrs, err := bus.Search(false)
	if err != nil {
		return nil, fmt.Errorf("drivers: looking for devices on %s: %w", bus, err)
	}
	found := make([]Found, 0, len(addrs))
	for _, addr := range addrs {
		f := Found{Addr: uint64(addr), Sure: true}
		for _, d := range Catalogue() {
			if d.Bus == OneWire && byte(addr) == d.Family {
				f.Drivers = append(f.Drivers, d.Name)
			}
		}
		found = append(found, f)
	}
	return found, nil
}
