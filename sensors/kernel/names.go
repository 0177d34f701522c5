package kernel

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// processors are the kernel's names for processor thermometers: on the Raspberry Pi and other ARM boards, Intel, and AMD.
var processors = []string{"cpu-thermal", "cpu_thermal", "bcm2835_thermal", "soc-thermal", "soc_thermal", "coretemp",
	"k10temp", "zenpower", "x86_pkg_temp"}

func isProcessor(name string) bool { return slices.Contains(processors, name) }

// names gives each device its names, and returns the ones to use; others mean it as well. A device that is the only one of its
// name needs no more. Others have their label, their serial number or their place in it, so that a name means the same device
// whatever the kernel counts, and whatever else is added.
func names(devices []*device) []string {
	cpu := onlyProcessor(devices)
	wishes := make([][]string, len(devices))
	owners := make(map[string]int)
	for i, d := range devices {
		wishes[i] = slices.Compact([]string{d.simple(), d.with(d.label), d.with(d.serial), d.with(d.place)})
		if d == cpu {
			wishes[i] = slices.Insert(wishes[i], 0, cpuName)
		}
		seen := make(map[string]bool)
		for _, w := range wishes[i] {
			if !seen[w] && (w != cpuName || d == cpu) {
				owners[w]++
			}
			seen[w] = true
		}
	}
	taken := make(map[string]bool)
	for i, d := range devices {
		d.names = nil
		for _, w := range wishes[i] {
			if owners[w] == 1 && (w != cpuName || d == cpu) && !slices.Contains(d.names, w) {
				d.names = append(d.names, w)
				taken[w] = true
			}
		}
	}
	// The rest can be told apart by the kernel's numbers alone.
	for _, d := range devices {
		d.counted = len(d.names) == 0
		choice := d.with(d.base)
		for n := 1; len(d.names) == 0; n++ {
			if choice == d.simple() || taken[choice] {
				choice = fmt.Sprintf("%s-%d", d.with(d.place), n)
			}
			if !taken[choice] {
				d.names = append(d.names, choice)
				taken[choice] = true
			}
		}
	}
	all := make([]string, len(devices))
	for i, d := range devices {
		all[i] = d.names[0]
	}
	return all
}

const cpuName = "cpu"

// onlyProcessor returns the processor thermometer that gets the name cpu: the only one of the first kind that has any. The
// other kinds measure the same.
func onlyProcessor(devices []*device) *device {
	for _, kind := range []string{Hwmon, Thermal} {
		var all []*device
		for _, d := range devices {
			if d.kind == kind && isProcessor(d.name) {
				all = append(all, d)
			}
		}
		switch len(all) {
		case 0:
		case 1:
			return all[0]
		default:
			return nil
		}
	}
	return nil
}

// simple returns the kernel's name.
func (d *device) simple() string { return slug(d.name, d.kind) }

// with returns the kernel's name with what distinguishes the device.
func (d *device) with(what string) string {
	name, what := d.simple(), slug(what, "")
	if strings.HasPrefix(what, name) || what == "" {
		return cmp.Or(what, name)
	}
	return name + "-" + what
}

// slug turns a name of the kernel or of a board into lower-case letters, digits and single hyphens.
func slug(s, otherwise string) string {
	var name []byte
	for _, c := range []byte(strings.ToLower(s)) {
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			name = append(name, c)
		case len(name) > 0 && name[len(name)-1] != '-':
			name = append(name, '-')
		}
	}
	name = name[:min(len(name), 60)]
	return cmp.Or(strings.Trim(string(name), "-"), otherwise)
}
