package drivers

import (
	"context"
	"fmt"
	"slices"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/onewire"
)

// A Found is a device that answers on a bus, and the drivers that may be for it.
type Found struct {
	Addr    uint64
	Drivers []string
	// Sure says that the device told what it is; otherwise it was only there, at an address that others may use, too.
	Sure bool
}

// ScanI2C looks for devices at the addresses that the catalogue's drivers know, in their order. Of other addresses it
// keeps away: there are devices that take any call for a command.
func ScanI2C(ctx context.Context, bus i2c.Bus) ([]Found, error) {
	var found []Found
	for addr := uint16(0x08); addr < 0x78; addr++ {
		var possible []Driver
		for _, d := range Catalogue() {
			if d.Bus == I2C && slices.Contains(d.Addresses, addr) {
				possible = append(possible, d)
			}
		}
		if len(possible) == 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return found, fmt.Errorf("drivers: looking for devices on %s: %w", bus, context.Cause(ctx))
		}
		f := Found{Addr: uint64(addr)}
		for _, d := range possible {
			f.Drivers = append(f.Drivers, d.Name)
		}
		if name := identify(ctx, bus, addr, possible); name != "" {
			f.Drivers, f.Sure = []string{name}, true
		} else if bus.Tx(addr, nil, make([]byte, 1)) != nil {
			continue // nothing is there
		}
		found = append(found, f)
	}
	return found, nil
}

// identify returns the first driver that knows the device at an address for its own. There are devices that answer to
// nothing but their commands, so it tries even where nothing seems to be.
func identify(ctx context.Context, bus i2c.Bus, addr uint16, possible []Driver) string {
	for _, d := range possible {
		if !d.identifies {
			continue
		}
		if s, err := d.OpenI2C(ctx, bus, addr, Options{}); err == nil {
			_ = s.Close() // it was found; whether it rests does not matter
			return d.Name
		}
	}
	return ""
}

// ScanOneWire looks for devices on a 1-Wire bus. One that no driver is for has no Drivers.
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
