package gateway

import (
	"context"
	"errors"
	"path/filepath"
	"sort"

	"sighub/internal/config"
	"sighub/sensors/drivers"
)

// I2CBuses lists the machine's I2C buses, by number; dev is usually /dev.
func I2CBuses(dev string) ([]config.Bus, error) {
	paths, err := filepath.Glob(filepath.Join(dev, "i2c-*"))
	if err != nil {
		return nil, err
	}
	var list []config.Bus
	for _, path := range paths {
		if bus, err := config.ParseBus("/dev/" + filepath.Base(path)); err == nil {
			list = append(list, bus)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Number < list[j].Number })
	return list, nil
}

// Scan looks for sensors on a bus.
func Scan(ctx context.Context, bus config.Bus) (found []drivers.Found, err error) {
	b := newBuses()
	open, err := b.acquire(bus)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.release(bus)) }()
	if bus.Kind == drivers.OneWire {
		return drivers.ScanOneWire(open.oneWire)
	}
	return drivers.ScanI2C(ctx, open.i2c)
}
