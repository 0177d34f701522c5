package kernel

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"sighub/sensors"
)

// The parts of the kernel that sensors are found in.
const (
	IIO     = "iio"
	Hwmon   = "hwmon"
	Thermal = "thermal"
	OneWire = "w1"
)

// Options are those of Scan. The zero value is that of every machine.
type Options struct {
	// Root is where sysfs is: /sys by default.
	Root string
	// Logger is told what was found and cannot be used. Nil: nobody is told.
	Logger *slog.Logger
}

// A Found is a sensor of the kernel's.
type Found struct {
	// Name is one for its sender: "cpu", "nvme", "bme280". It is the same after each start, whatever numbers the kernel
	// gives, as long as there is no other sensor of this kind.
	Name string
	// Kind is IIO, Hwmon, Thermal or OneWire.
	Kind string
	// Bus names what it shares with others, as in sensors.Source; empty: nothing.
	Bus string
	// Path is where it is at the moment.
	Path string
	// Quantities are what it measures.
	Quantities []sensors.Quantity
	// Open opens it, where it is by then: a device that was unplugged comes back with another number.
	Open func(ctx context.Context) (sensors.Sensor, error)
}

// A device is what is found in one directory of sysfs.
type device struct {
	kind     string
	name     string // what the kernel calls it
	place    string // what it hangs on, which tells it from others of its name
	dir      string // without symbolic links
	channels []channel
}

// Scan finds the kernel's sensors, in the order of their names. What it cannot read or understand it leaves out.
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

// scan returns all devices, each once: the kernel shows thermal zones, and thermometers on 1-Wire, as hwmon too.
func scan(o *Options) []*device {
	if o.Root == "" {
		o.Root = "/sys"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
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

// in looks into the directories of a class whose names begin like this. Their files may be symbolic links.
func (o *Options) in(class, prefix string, look func(dir string) (*device, error)) []*device {
	matches, err := filepath.Glob(filepath.Join(escape(o.Root), class, prefix+"*"))
	if err != nil {
		o.Logger.Debug("a class of sensors cannot be looked into", "class", class, "error", err)
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

// escape makes a path a pattern that matches nothing else.
func escape(path string) string {
	var pattern []byte
	for i := range len(path) {
		if slices.Contains([]byte(`*?[\`), path[i]) {
			pattern = append(pattern, '\\')
		}
		pattern = append(pattern, path[i])
	}
	return string(pattern)
}

// exists tells whether there is a file of that name.
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
		return nil, fmt.Errorf("kernel: %s %s at %s is not there any more", kind, name, place)
	}
}
