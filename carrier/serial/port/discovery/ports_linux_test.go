package discovery

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// machine makes a root with the files of sysfs and /dev as a kernel has them. Each text is a terminal: its name, the
// directory of its device, and if that is part of a USB device, the latter's attributes.
func machine(t *testing.T, terminals ...string) System {
	t.Helper()
	s := System{Root: t.TempDir()}
	write := func(name, text string) {
		must(t, os.MkdirAll(filepath.Dir(s.Root+name), 0o755))
		must(t, os.WriteFile(s.Root+name, []byte(text), 0o600))
	}
	link := func(name, to string) {
		must(t, os.MkdirAll(filepath.Dir(s.Root+name), 0o755))
		must(t, os.Symlink(s.Root+to, s.Root+name))
	}
	for _, text := range terminals {
		words := strings.Fields(text)
		name := words[0]
		write("/dev/"+name, "")
		if len(words) == 1 { // a screen's terminal: no hardware
			must(t, os.MkdirAll(s.Root+"/sys/class/tty/"+name, 0o755))
			continue
		}
		device := "/sys/devices/" + words[1]
		must(t, os.MkdirAll(s.Root+device+"/tty/"+name, 0o755))
		link("/sys/class/tty/"+name, device+"/tty/"+name)
		link(device+"/tty/"+name+"/device", device)
		for _, w := range words[2:] {
			key, value, _ := strings.Cut(w, "=")
			dir := filepath.Dir(device)
			if strings.HasPrefix(name, "ttyUSB") {
				dir = filepath.Dir(dir)
			}
			write(dir+"/"+key, value+"\n")
		}
	}
	write("/sys/class/tty/console/active", "tty0 ttyS0 ttyUSB7\n")
	return s
}

func TestFind(t *testing.T) {
	s := machine(t,
		"tty", "tty0", "tty63", "console", "ptmx",
		"ttyS0 pnp0/00:04", "ttyS1 platform/serial8250/tty", "ttyAMA0 platform/soc/fe201000.serial",
		"ttyUSB0 pci0000:00/0000:00:14.0/usb1/1-1/1-1:1.0/ttyUSB0 idVendor=0403 idProduct=6001 serial=A10K manufacturer=FTDI product=FT232R",
		"ttyUSB10 pci0000:00/0000:00:14.0/usb1/1-2/1-2.4/1-2.4:1.0/ttyUSB10 idVendor=1a86 idProduct=7523 product=USB_Serial",
		"ttyUSB9 pci0000:00/0000:00:14.0/usb1/1-3/1-3:1.0/ttyUSB9 idVendor=0403 idProduct=6001 serial=B20L",
		"ttyUSB7 pci0000:00/0000:00:14.0/usb1/1-4/1-4:1.0/ttyUSB7 idVendor=0403 idProduct=6001 serial=CONS",
		"ttyACM0 pci0000:00/0000:00:14.0/usb1/1-5/1-5:1.0 idVendor=2341 idProduct=0043 serial=7543",
	)
	byID := s.Root + "/dev/serial/by-id/usb-FTDI_FT232R_A10K-if00-port0"
	must(t, os.MkdirAll(filepath.Dir(byID), 0o755))
	must(t, os.Symlink("../../ttyUSB0", byID))
	for text, want := range map[string]string{
		"auto":                       "ttyACM0 ttyUSB0 ttyUSB9 ttyUSB10",
		"0403:6001":                  "ttyUSB0 ttyUSB9",
		"0403:6001:B20L":             "ttyUSB9",
		"0403:6001:x":                "",
		"1A86:7523":                  "ttyUSB10",
		"/dev/ttyUSB*":               "ttyUSB0 ttyUSB10 ttyUSB9",
		"/dev/tty*":                  "ttyACM0 ttyAMA0 ttyS1 ttyUSB0 ttyUSB10 ttyUSB9",
		"/dev/*":                     "serial ttyACM0 ttyAMA0 ttyS1 ttyUSB0 ttyUSB10 ttyUSB9",
		"/dev/serial/by-id/*FT232R*": "usb-FTDI_FT232R_A10K-if00-port0",
		"/dev/serial/by-path/*":      "",
		"/dev/ttyS0":                 "ttyS0",
		"/dev/ttyUSB5":               "ttyUSB5",
	} {
		p, err := Parse(text)
		must(t, err)
		ports, err := s.Find(p)
		must(t, err)
		names := []string{}
		for _, port := range ports {
			names = append(names, filepath.Base(port.Path))
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	p, _ := Parse("/dev/serial/by-id/*")
	ports, _ := s.Find(p)
	want := Port{Path: byID, USB: &USB{Vendor: "0403", Product: "6001", Serial: "A10K", Name: "FTDI FT232R", Socket: "1-1"}}
	if len(ports) != 1 || !reflect.DeepEqual(ports[0], want) {
		t.Errorf("%+v", ports)
	}
	p, _ = Parse("1a86:7523")
	ports, _ = s.Find(p)
	want = Port{Path: s.Root + "/dev/ttyUSB10", USB: &USB{Vendor: "1a86", Product: "7523", Name: "USB_Serial", Socket: "1-2.4"}}
	if len(ports) != 1 || !reflect.DeepEqual(ports[0], want) {
		t.Errorf("%+v", ports[0].USB)
	}
}

// TestThisMachine: whatever this machine has, looking at it is no error.
func TestThisMachine(t *testing.T) {
	if _, err := (System{}).Ports(); err != nil {
		t.Error(err)
	}
	if ports, err := (System{Root: t.TempDir()}).Ports(); err != nil || len(ports) > 0 {
		t.Error(ports, err)
	}
}
