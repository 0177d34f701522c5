package drivers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/onewire"

	"sighub/sensors"
)

// The buses that drivers are for.
const (
	I2C     = "i2c"
	OneWire = "1-wire"
)

// A Driver opens sensors of one kind.
type Driver struct {
	Name    string // its name in a configuration: "bh1750"
	Summary string // what the device is, for people to read
	Bus     string // I2C or OneWire
	// Addresses are the possible addresses of such a device on I2C, the usual one first.
	Addresses []uint16
	// Family is the lowest byte of the address of such a device on 1-Wire.
	Family byte
	// Options are the names, in lower case, of the fields of [Options] that the driver has.
	Options []string
	// Quantities are what the device measures unless options change that.
	Quantities []sensors.Quantity

	// identifies means that setting up the device proves what it is, and that trying it harms no other device.
	identifies bool
	// build checks the options and returns the chip, without using the bus.
	build func(o *Options) (chip, error)
}

// Catalogue returns all drivers, by name.
func Catalogue() []Driver {
	all := []Driver{ads1115(), aht20(), bh1750(), bme280(), bmp280(), ds18b20(), hdc302x(), mcp9808(), sht3x(), sht4x(),
		tmp102(), tsl2591(), veml7700()}
	for i := range all {
		c, err := all[i].build(&Options{})
		if err != nil {
			continue // what it measures depends on options
		}
		all[i].Quantities = c.quantities()
	}
	return all
}

// Find returns the driver of that name.
func Find(name string) (Driver, error) {
	var names []string
	for _, d := range Catalogue() {
		if d.Name == name {
			return d, nil
		}
		names = append(names, d.Name)
	}
	return Driver{}, fmt.Errorf("drivers: no driver is called %q: the drivers are %s", name, strings.Join(names, ", "))
}

// Check returns what is wrong with an address for OpenI2C or OpenOneWire, or with options. It opens nothing.
func (d Driver) Check(addr uint64, o Options) error {
	if _, err := d.check(addr, o); err != nil {
		return fmt.Errorf("drivers: %s: %w", d.Name, err)
	}
	return nil
}

// Measures returns what a sensor with these options measures.
func (d Driver) Measures(o Options) ([]sensors.Quantity, error) {
	if d.build == nil {
		return nil, errors.New("drivers: the driver is not from the catalogue: use Find")
	}
	c, err := d.build(&o)
	if err != nil {
		return nil, fmt.Errorf("drivers: %s: %w", d.Name, err)
	}
	return c.quantities(), nil
}

func (d Driver) check(addr uint64, o Options) (chip, error) {
	if d.build == nil {
		return nil, errors.New("the driver is not from the catalogue: use Find")
	}
	if d.Bus == I2C {
		if addr > 0x7f || !slices.Contains(d.Addresses, uint16(addr)) {
			return nil, fmt.Errorf("address must be one of %[2]s, not %#[1]x", addr, addresses(d.Addresses))
		}
	} else if err := checkROM(onewire.Address(addr), d.Family); err != nil {
		return nil, err
	}
	for _, name := range o.given() {
		if !slices.Contains(d.Options, name) {
			if len(d.Options) == 0 {
				return nil, fmt.Errorf("it has no option %q, and no others", name)
			}
			return nil, fmt.Errorf("it has no option %q, only %s", name, strings.Join(d.Options, ", "))
		}
	}
	return d.build(&o)
}

// OpenI2C opens a sensor on an I2C bus. It is an error if nothing answers at the address, or another device does.
func (d Driver) OpenI2C(ctx context.Context, bus i2c.Bus, addr uint16, o Options) (sensors.Sensor, error) {
	if d.Bus != I2C {
		return nil, fmt.Errorf("drivers: %s is on %s, not on I2C", d.Name, d.Bus)
	}
	return d.open(ctx, fmt.Sprintf("at %#x on %s", addr, bus), uint64(addr), o, func(c chip) {
		c.(i2cChip).connect(bus, addr)
	})
}

// OpenOneWire opens a sensor on a 1-Wire bus. It is an error if nothing answers at the address.
func (d Driver) OpenOneWire(ctx context.Context, bus onewire.Bus, addr onewire.Address, o Options) (sensors.Sensor, error) {
	if d.Bus != OneWire {
		return nil, fmt.Errorf("drivers: %s is on %s, not on 1-Wire", d.Name, d.Bus)
	}
	return d.open(ctx, fmt.Sprintf("at %016x on %s", uint64(addr), bus), uint64(addr), o, func(c chip) {
		c.(oneWireChip).connect(bus, addr)
	})
}

func (d Driver) open(ctx context.Context, where string, addr uint64, o Options, connect func(chip)) (sensors.Sensor, error) {
	c, err := d.check(addr, o)
	if err != nil {
		return nil, fmt.Errorf("drivers: %s: %w", d.Name, err)
	}
	connect(c)
	s := &sensor{chip: c, label: d.Name + " " + where, measures: c.quantities()}
	if err := s.setup(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func addresses(all []uint16) string {
	names := make([]string, len(all))
	for i, a := range all {
		names[i] = fmt.Sprintf("%#x", a)
	}
	return strings.Join(names, ", ")
}
