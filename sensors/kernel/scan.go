package kernel

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sort"
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
	// Name is a name for its sender: "cpu", "nvme", "bme280". If there are several of a kind, it has the label, the serial
	// number or the place in it: "bme280-fe804000-i2c-0076". It is the same after each start, whatever numbers the kernel
	// gives, unless another sensor of the same kind is added; then [Found.Is] still knows the name with the place.
	Name string
	// Counted means that only the kernel's numbers tell it apart from another sensor. They may change at the next start.
	Counted bool
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

	names   []string // all that mean it
	numbers []string // those with a number of the kernel's
	device  *device
}

// Same reports whether f and g are the same sensor, found at different times.
func (f *Found) Same(g *Found) bool { return f.device.same(g.device) }

// A Leftover is a device with values that this package does not understand, maybe beside others that it does.
type Leftover struct {
	Kind, Path string
	Name       string   // the kernel's
	Values     []string // the files of the values, without their endings: in_rot_quaternion
}

// Leftovers finds what Scan leaves out because it is not understood, sorted by path.
func Leftovers(o Options) (list []Leftover) {
	for _, d := range look(&o) {
		if len(d.unknown) > 0 {
			list = append(list, Leftover{Kind: d.kind, Path: d.dir, Name: d.name, Values: d.unknown})
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Path < list[j].Path })
	return list
}

// Is reports whether name means this sensor, and whether that is because of a number of the kernel's, such as in hwmon3 or
// nvme1, which may change at the next start.
func (f *Found) Is(name string) (ok, counted bool) {
	if slices.Contains(f.names, name) {
		return true, f.Counted
	}
	if ok := slices.Contains(f.numbers, name); ok {
		return true, true
	}
	return false, false
}

// A device is a directory of sysfs with values to read.
type device struct {
	kind     string
	name     string // the kernel's name
	label    string // what the board's maker or its owner calls it; may be empty, as the others
	serial   string
	place    string // where it is, without numbers of the kernel's
	parent   string // the directory of what it is connected to
	base     string // its directory in its class: hwmon3
	nth      int    // of those with the same name and the same serial number or place
	dir      string // without symbolic links
	channels []channel
	unknown  []string // see Leftover

	names   []string // see names
	counted bool     // the name has a number of the kernel's
}

// same reports whether d is the device that e was, maybe before it was unplugged.
func (d *device) same(e *device) bool { return d.compare(e) == 0 && d.nth == e.nth }

// compare compares devices by what does not change, even when they are moved.
func (d *device) compare(e *device) int {
	return cmp.Or(cmp.Compare(d.kind, e.kind), cmp.Compare(d.name, e.name),
		cmp.Compare(cmp.Or(d.serial, d.place), cmp.Or(e.serial, e.place)))
}

// Scan finds the kernel's sensors, sorted by name. It leaves out what it cannot read or understand.
func Scan(o Options) []Found {
	devices := scan(&o)
	found := make([]Found, len(devices))
	for i, name := range names(devices) {
		d := devices[i]
		found[i] = Found{Name: name, Counted: d.counted, Kind: d.kind, Path: d.dir, Quantities: quantities(d.channels),
			Open: d.reopen(o), names: d.names, numbers: d.numbers(), device: d}
		if d.kind == OneWire {
			// Its bus is slow, and the kernel reads one thermometer after another anyway.
			found[i].Bus = filepath.Base(filepath.Dir(d.dir))
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Name < found[j].Name })
	return found
}

// scan returns the devices that can be read.
func scan(o *Options) []*device {
	all := slices.DeleteFunc(look(o), func(d *device) bool { return len(d.channels) == 0 })
	slices.SortStableFunc(all, func(a, b *device) int {
		return cmp.Or(a.compare(b), cmp.Compare(a.place, b.place), cmp.Compare(len(a.base), len(b.base)), cmp.Compare(a.base, b.base)) // hwmon9, hwmon10
	})
	for i := 1; i < len(all); i++ {
		if all[i].compare(all[i-1]) == 0 {
			all[i].nth = all[i-1].nth + 1
		}
	}
	return all
}

// look returns each device once, although the kernel also shows thermal zones and 1-Wire thermometers as hwmon.
func look(o *Options) []*device {
	o.Root = cmp.Or(o.Root, "/sys")
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	if root, err := filepath.EvalSymlinks(o.Root); err == nil {
		o.Root = root // places are below it
	}
	return slices.Concat(
		o.in("bus/iio/devices", "iio:device", iioDevice),
		o.in("class/hwmon", "hwmon", hwmonDevice),
		o.in("class/thermal", "thermal_zone", thermalDevice),
		o.in("bus/w1/devices", "", oneWireDevice),
	)
}

// numbers returns the names of a device with the kernel's numbers, by its directory and by what it is connected to.
func (d *device) numbers() []string {
	names := []string{d.base, slug(d.base, d.kind), d.with(d.base)}
	if d.parent != "" {
		names = append(names, d.with(filepath.Base(d.parent)))
	}
	return names
}

// in calls look for the directories of a class whose names begin with prefix, symbolic links resolved.
func (o *Options) in(class, prefix string, look func(o *Options, dir string) (*device, error)) []*device {
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
		d, err := look(o, dir)
		if err != nil {
			o.Logger.Debug("a sensor cannot be used", "path", path, "error", err)
			continue
		}
		if d != nil {
			d.dir, d.base = dir, filepath.Base(path)
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
	return func(context.Context) (sensors.Sensor, error) {
		for _, now := range scan(&o) {
			if now.same(d) {
				return open(now)
			}
		}
		return nil, fmt.Errorf("kernel: %s %s at %s is gone", d.kind, d.name, cmp.Or(d.serial, d.place, d.base))
	}
}
