package kernel

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sighub/sensors"
)

// The kinds of sensors in the kernel.
const (
	IIO     = "iio"
	Hwmon   = "hwmon"
	Thermal = "thermal"
	OneWire = "w1"
)

// Options are those of Scan. The zero value is right for every machine.
type Options struct {
	// Root is where sysfs is: /sys by default.
	Root string
	// Logger logs what was found but cannot be used. Nil: nothing is logged.
	Logger *slog.Logger
}

// A Found is a sensor that Scan has found.
type Found struct {
	// Name is a name for its sender: "cpu", "nvme", "bme280". It is the same after each start, whatever numbers the kernel
	// gives, unless another sensor of the same kind is added.
	Name string
	// Kind is IIO, Hwmon, Thermal or OneWire.
	Kind string
	// Bus is the bus that it shares with other sensors, for sensors.Source; empty: none.
	Bus string
	// Path is its present directory.
	Path string
	// Quantities are what it measures.
	Quantities []sensors.Quantity
	// Open finds its present directory and opens it: a device that was unplugged comes back under another number.
	Open func(ctx context.Context) (sensors.Sensor, error)
}

// A device is a directory of sysfs with values to read.
type device struct {
	kind     string
	name     string // the kernel's name
	place    string // what it is connected to; distinguishes devices of the same name
	dir      string // without symbolic links
	channels []channel
}

// Scan finds the kernel's sensors, sorted by name. It leaves out what it cannot read or understand.
func Scan(o Options) []Found {
	devices := scan(&o)
	found := make([]Found, len(devices))
	for i, name := range names(devices) {
		d := devices[i]
		found[i] = Found{Name: name, Kind: d.kind, Path: d.dir, Quantities: quantities(d.channels), Open: d.reopen(o)}
		if d.kind == OneWire {
			// Its bus is slow, and the kernel reads one thermometer after another anyway.
			found[i].Bus = filepath.Base(filepath.Dir(d.dir))
		}
	}
	slices.SortFunc(found, func(a, b Found) int { return cmp.Compare(a.Name, b.Name) })
	return found
}

// scan returns each device once, although the kernel also shows thermal zones and 1-Wire thermometers as hwmon.
func scan(o *Options) []*device {
	o.Root = cmp.Or(o.Root, "/sys")
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	all := slices.Concat(
		o.in("bus/iio/devices", "iio:device", iioDevice),
		o.in("class/hwmon", "hwmon", hwmonDevice),
		o.in("class/thermal", "thermal_zone", thermalDevice),
		o.in("bus/w1/devices", "", oneWireDevice),
	)
	slices.SortStableFunc(all, func(a, b *device) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name), cmp.Compare(a.place, b.place))
	})
	return all
}

// in calls look for the directories of a class whose names begin with prefix, symbolic links resolved.
func (o *Options) in(class, prefix string, look func(dir string) (*device, error)) []*device {
	matches, err := filepath.Glob(filepath.Join(escape(o.Root), class, prefix+"*"))
	if err != nil {
		o.Logger.Debug("a class of sensors cannot be read", "class", class, "error", err)
		return nil
	}
	var devices []*device
	for _, path := range matches {
		dir, err := filepath.EvalSymlinks(path)
		if err != nil {
			o.Logger.Debug("a sensor cannot be found", "path", path, "error", err)
			continue
		}
		d, err := look(dir)
		if err != nil {
			o.Logger.Debug("a sensor cannot be used", "path", path, "error", err)
			continue
		}
		if d != nil && len(d.channels) > 0 {
			d.dir = dir
			devices = append(devices, d)
		}
	}
	return devices
}

// escape returns a pattern that matches only this path.
func escape(path string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`).Replace(path)
}

// exists reports whether there is a file of that name.
func exists(elem ...string) bool {
	_, err := os.Stat(filepath.Join(elem...))
	return err == nil
}

// reopen returns a function that finds the device again and opens it.
func (d *device) reopen(o Options) func(context.Context) (sensors.Sensor, error) {
	kind, name, place := d.kind, d.name, d.place
	return func(context.Context) (sensors.Sensor, error) {
		for _, d := range scan(&o) {
			if d.kind == kind && d.name == name && d.place == place {
				return open(d)
			}
		}
		return nil, fmt.Errorf("kernel: %s %s at %s is gone", kind, name, place)
	}
}
