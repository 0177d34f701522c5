package discovery

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
)

// Ports returns the serial ports that the kernel knows, sorted by path. It only reads sysfs, because opening a port could
// disturb its user. An adapter that goes meanwhile is left out.
func (s System) Ports() ([]Port, error) {
	class := s.Root + "/sys/class/tty"
	entries, err := os.ReadDir(class)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a container without sysfs
	}
	if err != nil {
		return nil, err
	}
	consoles := strings.Fields(attribute(class, "console/active"))
	var ports []Port
	for _, e := range entries {
		// A machine has dozens of virtual terminals. To follow their links takes ten calls of the system for each.
		if link, err := os.Readlink(filepath.Join(class, e.Name())); err == nil && strings.Contains(link, "/virtual/") {
			continue
		}
		device, err := filepath.EvalSymlinks(filepath.Join(class, e.Name(), "device"))
		if err != nil {
			continue // a terminal without hardware
		}
		ports = append(ports, Port{
			Path: s.Root + devices + "/" + e.Name(), USB: describeUSB(device), Console: slices.Contains(consoles, e.Name()),
		})
	}
	sort.Slice(ports, func(i, j int) bool {
		a, b := ports[i].Path, ports[j].Path
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) < 0 // ttyUSB9 before ttyUSB10
	})
	return ports, err
}

// describeUSB describes the USB device that a device belongs to, or returns nil.
func describeUSB(device string) *USB {
	for range 4 {
		if vendor := attribute(device, "idVendor"); vendor != "" {
			return &USB{
				Vendor: vendor, Product: attribute(device, "idProduct"), Serial: attribute(device, "serial"),
				Name:   strings.TrimSpace(attribute(device, "manufacturer") + " " + attribute(device, "product")),
				Socket: filepath.Base(device),
			}
		}
		device = filepath.Dir(device)
	}
	return nil
}

// attribute returns the content of a file in sysfs, or nothing.
func attribute(dir, name string) string {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}
