package discovery

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A Pattern names serial ports.
type Pattern struct {
	text                    string
	kind                    kind
	vendor, product, serial string // of a USB adapter; an empty serial matches any
}

type kind int

const (
	exact  kind = iota // one path, which may not be there
	glob               // paths as in filepath.Match
	usb                // USB adapters by their ids
	auto               // all USB adapters
	remote             // a port elsewhere, on the network
)

// Auto is the pattern of every USB adapter that is not the machine's console.
const Auto = "auto"

var usbID = regexp.MustCompile(`^([0-9A-Fa-f]{4}|\*):([0-9A-Fa-f]{4}|\*)(?::(.+))?$`)

// anyID stands for every id of a vendor or a product.
const anyID = "*"

// Parse reads a pattern:
//
//	auto                 all USB adapters, but not one that the kernel uses as its console
//	/dev/ttyUSB*         the paths that match, as in filepath.Match
//	0403:6001            USB adapters by the hexadecimal ids of vendor and product
//	0403:6001:A10K5XQ1   the one among these with this serial number
//	0403:*, *:*:A10K5XQ1 likewise, of any product, of any vendor
//	/dev/ttyUSB0, COM3   the port of this path
//	SCHEME://HOST:PORT   the port that is there on the network
func Parse(text string) (Pattern, error) {
	p := Pattern{text: text}
	switch ids := usbID.FindStringSubmatch(text); {
	case text == "":
		return p, errors.New("a port must have a path, as in /dev/ttyUSB0, or be auto")
	case text == Auto:
		p.kind = auto
	case strings.Contains(text, "://"):
		p.kind = remote
	case ids != nil:
		p.kind = usb
		p.vendor, p.product, p.serial = strings.ToLower(ids[1]), strings.ToLower(ids[2]), ids[3]
	case strings.ContainsAny(text, `*?[`):
		p.kind = glob
		for _, name := range []string{"", text} { // Match does not look at all of a pattern unless it has to
			if _, err := filepath.Match(text, name); err != nil {
				return p, fmt.Errorf("the pattern %s is malformed: close its brackets", text)
			}
		}
	}
	return p, nil
}

// String returns the pattern as it was written.
func (p Pattern) String() string { return p.text }

// Exact reports whether the pattern is the path of one port, which may not be there.
func (p Pattern) Exact() bool { return p.kind == exact || p.kind == remote }

// Remote reports whether the pattern is a port on the network, of which the system knows nothing.
func (p Pattern) Remote() bool { return p.kind == remote }

// folder returns the folder in which files appear whose names may match.
func (p Pattern) folder() string {
	switch p.kind {
	case usb, auto:
		return devices
	case glob:
		dir := filepath.Dir(p.text)
		for strings.ContainsAny(dir, `*?[`) {
			dir = filepath.Dir(dir)
		}
		return dir
	default:
		return filepath.Dir(p.text)
	}
}

// devices is the folder of device files.
const devices = "/dev"

// terminal matches the terminals of a screen, which a pattern such as /dev/tty* finds as well.
var terminal = regexp.MustCompile(`^/dev/(tty\d*|console|ptmx)$`)

// Find returns the ports that the pattern names, sorted by path. That of an exact pattern is always among them. Beside an error
// it returns the ports that it could find.
func (s System) Find(p Pattern) ([]Port, error) {
	if p.kind == remote {
		return []Port{{Path: p.text}}, nil
	}
	if p.kind == exact {
		return []Port{{Path: s.Root + p.text}}, nil
	}
	ports, err := s.Ports()
	var found []Port
	if p.kind == glob {
		paths, globErr := filepath.Glob(s.Root + p.text)
		err = errors.Join(err, globErr)
		for _, path := range paths {
			found = append(found, s.describe(path, ports))
		}
	} else {
		found = ports
	}
	return slices.DeleteFunc(found, func(port Port) bool { return !p.takes(port) || s.screen(port) }), err
}

// takes reports whether the pattern names a port whose path matches, if the pattern has a path.
func (p Pattern) takes(port Port) bool {
	switch {
	case port.Console:
		return false
	case p.kind == glob:
		return true
	case port.USB == nil:
		return false
	case p.kind == usb:
		return (p.vendor == anyID || port.USB.Vendor == p.vendor) && (p.product == anyID || port.USB.Product == p.product) &&
			(p.serial == "" || port.USB.Serial == p.serial)
	default:
		return true
	}
}

// screen reports whether the port is a terminal of the screen.
func (s System) screen(port Port) bool {
	return terminal.MatchString(strings.TrimPrefix(port.Path, s.Root))
}

// describe returns what is known of the port at a path, which may be a link to its device file.
func (s System) describe(path string, ports []Port) Port {
	bare := Real(path)
	for _, port := range ports {
		if Real(port.Path) == bare {
			port.Path = path
			return port
		}
	}
	return Port{Path: path}
}

// Real returns the path with all links resolved, which is the same for all paths of a port. A path that leads nowhere is
// returned as it is.
func Real(path string) string {
	if strings.Contains(path, "://") {
		return path
	}
	if bare, err := filepath.EvalSymlinks(path); err == nil {
		return bare
	}
	return path
}
