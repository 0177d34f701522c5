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

// names returns a name for each device. If several devices would have the same name, each gets one with its place instead, so
// that adding a device never changes what a name means.
func names(devices []*device) []string {
	names := make([]string, len(devices))
	taken := make(map[string]bool)

	// The first kind with a processor thermometer gets the name cpu: the others measure the same.
	cpus := make(map[string][]int)
	for i, d := range devices {
		if isProcessor(d.name) {
			cpus[d.kind] = append(cpus[d.kind], i)
		}
	}
	for _, kind := range []string{Hwmon, Thermal} {
		if len(cpus[kind]) == 1 {
			names[cpus[kind][0]] = "cpu"
			taken["cpu"] = true
		}
		if len(cpus[kind]) > 0 {
			break
		}
	}

	simple := func(d *device) string { return slug(d.name, d.kind) }
	full := func(d *device) string {
		name, place := simple(d), slug(d.place, "")
		if strings.HasPrefix(place, name) || place == "" {
			return cmp.Or(place, name)
		}
		return name + "-" + place
	}
	for _, choice := range []func(*device) string{simple, full} {
		wanted := make(map[string][]int)
		for i, d := range devices {
			if names[i] == "" {
				wanted[choice(d)] = append(wanted[choice(d)], i)
			}
		}
		for name, by := range wanted {
			if len(by) == 1 && !taken[name] {
				names[by[0]] = name
				taken[name] = true
			}
		}
	}
	// The rest cannot be told apart, and are numbered.
	for i, d := range devices {
		for n := 1; names[i] == ""; n++ {
			if name := fmt.Sprintf("%s-%d", full(d), n); !taken[name] {
				names[i] = name
				taken[name] = true
			}
		}
	}
	return names
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
