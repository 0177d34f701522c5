package gateway

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/onewire"
	"periph.io/x/host/v3/netlink"
	"periph.io/x/host/v3/sysfs"

	"sighub/internal/config"
	"sighub/sensors"
	"sighub/sensors/drivers"
	"sighub/sensors/simulated"
)

// buses opens buses for sensors. A bus is opened once for all sensors that share it, and closed when the last of them closes.
// So a bus that was unplugged is opened again once all its sensors have noticed.
type buses struct {
	mu   sync.Mutex
	open map[string]*openBus
	sims map[string]*simulated.Bus // by name; these keep their state while nobody uses them
}

func newBuses() *buses {
	return &buses{open: make(map[string]*openBus), sims: make(map[string]*simulated.Bus)}
}

type openBus struct {
	i2c     i2c.BusCloser
	oneWire onewire.BusCloser
	users   int
}

// openSensor opens the sensor that s, checked, describes, and its bus if necessary.
func (b *buses) openSensor(ctx context.Context, s *config.Sensor) (sensors.Sensor, error) {
	driver, err := drivers.Find(s.Driver)
	if err != nil {
		return nil, err
	}
	bus, err := b.acquire(s.Bus)
	if err != nil {
		return nil, err
	}
	var sensor sensors.Sensor
	if s.Bus.Kind == drivers.OneWire {
		sensor, err = driver.OpenOneWire(ctx, bus.oneWire, onewire.Address(s.Address), s.Options)
	} else {
		sensor, err = driver.OpenI2C(ctx, bus.i2c, uint16(s.Address), s.Options)
	}
	if err != nil {
		return nil, errors.Join(err, b.release(s.Bus))
	}
	return &busSensor{Sensor: sensor, release: func() error { return b.release(s.Bus) }}, nil
}

// A busSensor releases its bus when it is closed.
type busSensor struct {
	sensors.Sensor
	release func() error
}

// String names the sensor itself in errors.
func (s *busSensor) String() string { return fmt.Sprint(s.Sensor) }

func (s *busSensor) Close() error { return errors.Join(s.Sensor.Close(), s.release()) }

func (b *buses) acquire(c config.Bus) (*openBus, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	bus := b.open[c.String()]
	if bus == nil {
		var err error
		if bus, err = b.openBus(c); err != nil {
			return nil, err
		}
		b.open[c.String()] = bus
	}
	bus.users++
	return bus, nil
}

func (b *buses) release(c config.Bus) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	bus := b.open[c.String()]
	if bus.users--; bus.users > 0 {
		return nil
	}
	delete(b.open, c.String())
	if bus.oneWire != nil {
		return bus.oneWire.Close()
	}
	return bus.i2c.Close()
}

func (b *buses) openBus(c config.Bus) (*openBus, error) {
	switch {
	case c.Sim:
		return &openBus{i2c: b.simulated(c)}, nil
	case c.Kind == drivers.OneWire:
		bus, err := netlink.New(uint32(c.Number))
		if err != nil {
			return nil, fmt.Errorf("cannot open %s: %w: it needs the module w1_gpio (on a Raspberry Pi: dtoverlay=w1-gpio in "+
				"config.txt) and root; a thermometer also works as a sensor of the kernel, without root: see "+
				"`sighub sensors --scan`", c, err)
		}
		return &openBus{oneWire: bus}, nil
	default:
		bus, err := openI2C(c)
		if err != nil {
			return nil, err
		}
		return &openBus{i2c: bus}, nil
	}
}

func openI2C(c config.Bus) (i2c.BusCloser, error) {
	path := fmt.Sprintf("/dev/i2c-%d", c.Number)
	f, err := os.OpenFile(path, os.O_RDWR, 0) // for an error with its kind: periph.io has only its text
	if err == nil {
		err = f.Close()
	}
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("there is no %s: switch I2C on (on a Raspberry Pi: dtparam=i2c_arm=on in config.txt, or "+
			"`sudo raspi-config nonint do_i2c 0`, then reboot), or choose a bus that `sighub sensors --scan` lists", path)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("%s: permission denied: add yourself to the group that owns it (usually: sudo usermod -aG i2c "+
			"$USER), then log in again", path)
	case err != nil:
		return nil, fmt.Errorf("cannot open %s: %w", c, err)
	}
	bus, err := sysfs.NewI2C(c.Number)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", c, err)
	}
	return bus, nil
}

// simulated returns the simulated bus of that name, always the same one.
func (b *buses) simulated(c config.Bus) *simulated.Bus {
	bus := b.sims[c.String()]
	if bus == nil {
		bus = simulated.NewBus(simulated.BusOptions{
			Place: simulated.Drift{Day: c.Day},
			PulledOut: func() bool {
				_, err := os.Stat(c.File)
				return err == nil // and so never, if no file is named
			},
		})
		b.sims[c.String()] = bus
	}
	return bus
}
