package kernel

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// files makes a tree of files; a value that begins with -> is a symbolic link.
func files(t *testing.T, all map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range all {
		path := filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if target, ok := strings.CutPrefix(text, "->"); ok && err == nil {
			err = os.Symlink(target, path)
		} else if err == nil {
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// renumbered makes the tree of a txtar file with other paths.
func renumbered(t *testing.T, name string, as func(path string) string) string {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, f := range archive.Files {
		name, target, link := strings.Cut(as(f.Name), " -> ")
		if all[name] = string(f.Data); link {
			all[name] = "->" + target
		}
	}
	return files(t, all)
}

// named returns the names of all sensors of a tree.
func named(root string) []string {
	var names []string
	for _, f := range Scan(Options{Root: root}) {
		names = append(names, f.Name)
	}
	return names
}

// TestPlaces: a place is what is left of a path without the numbers that the kernel gives.
func TestPlaces(t *testing.T) {
	for path, want := range map[string]string{
		"devices/platform/soc/fe804000.i2c/i2c-1/1-0076/iio:device0":              "fe804000.i2c-0076",
		"devices/platform/soc/fe804000.i2c/i2c-11/11-0076/iio:device3":            "fe804000.i2c-0076",
		"devices/i2c-7/7-0044/iio:device0":                                        "0044",
		"devices/pci0000:00/0000:00:06.0/nvme/nvme1/hwmon2":                       "0000:00:06.0",
		"devices/pci0000:00/0000:00:17.0/ata3/host2/target2:0:0/2:0:0:0/hwmon/h1": "h1",
		"devices/pci0000:00/0000:00:17.0/ata3/host2/target2:0:0/2:0:0:0":          "0000:00:17.0",
		"devices/pci0000:00/0000:00:14.0/usb3/3-1/3-1.4/3-1.4:1.0/i2c-9/9-0076":   "0000:00:14.0-1.4:1.0-0076",
		"devices/pci0000:00/0000:00:14.0/usb1/1-1":                                "0000:00:14.0-1",
		"devices/platform/coretemp.0/hwmon/hwmon0":                                "coretemp.0",
		"devices/virtual/thermal/thermal_zone3":                                   "",
		"class/hwmon/hwmon0":                                                      "",
		"devices/LNXSYSTM:00/LNXSYBUS:01/LNXTHERM:00":                             "LNXTHERM:00",
		".": "",
	} {
		if got := placeOf("/sys", filepath.Join("/sys", path)); got != want {
			t.Errorf("%s is at %q, want %q", path, got, want)
		}
	}
	if got := placeOf("/sys", "/elsewhere/hwmon0"); got != "elsewhere" {
		t.Errorf("what is not below the root is at %q", got)
	}
}

// TestRenumbered: when the kernel counts in another order, each name means the same device as before.
func TestRenumbered(t *testing.T) {
	swap := strings.NewReplacer("hwmon0", "hwmon5", "hwmon5", "hwmon0", "hwmon1", "hwmon12", "hwmon2", "hwmon3", "hwmon3", "hwmon2",
		"nvme0", "nvme1", "nvme1", "nvme0", "i2c-7/7-", "i2c-0/0-", "iio:device0", "iio:device1", "iio:device1", "iio:device0",
		"thermal_zone2", "thermal_zone9", "w1_bus_master1", "w1_bus_master4", "i2c-1/1-", "i2c-20/20-")
	for _, name := range []string{"pc.txtar", "pi.txtar"} {
		read := func(root string) map[string]string {
			values := make(map[string]string)
			for _, f := range Scan(Options{Root: root}) {
				v, _ := read(t.Context(), f) // some fail
				values[f.Name] = fmt.Sprintf("%.3f", v)
			}
			return values
		}
		before := read(tree(t, name))
		after := read(renumbered(t, name, swap.Replace))
		if fmt.Sprint(before) != fmt.Sprint(after) {
			t.Errorf("%s reads\n%v, and renumbered\n%v", name, before, after)
		}
	}
}

// TestNumbersStillMean: what was named by the kernel's number is found, and known as such; what is named by its place is found
// even when it is the only one left.
func TestNumbersStillMean(t *testing.T) {
	root := tree(t, "pc.txtar")
	disk := found(t, root, "nvme-0000-00-06-0")
	for name, want := range map[string][2]bool{
		"nvme-0000-00-06-0": {true, false}, "nvme1": {true, true}, "hwmon2": {true, true}, "nvme-hwmon2": {true, true},
		"nvme0": {}, "nvme": {}, "nvme-0000-00-1d-0": {}, "": {}, "hwmon": {},
	} {
		if ok, counted := disk.Is(name); [2]bool{ok, counted} != want {
			t.Errorf("it is %s: %t, by number: %t, want %t", name, ok, counted, want)
		}
	}
	zone := found(t, root, "acpitz-thermal-zone1")
	if ok, counted := zone.Is("acpitz-thermal-zone1"); !ok || !counted || !zone.Counted {
		t.Error("a number is all that tells zones without a device apart, and nobody is told")
	}
	if err := os.Remove(filepath.Join(root, "class/hwmon/hwmon3")); err != nil {
		t.Fatal(err)
	}
	disk = found(t, root, "nvme")
	if ok, counted := disk.Is("nvme-0000-00-06-0"); !ok || counted {
		t.Error("the only disk is not known by its place")
	}
}

// TestIdentical: chips and disks of the same kind are told apart by label, serial number and place, in this order.
func TestIdentical(t *testing.T) {
	all := make(map[string]string)
	chip := func(n int, dir, name string, more ...string) {
		dir = "devices/" + dir
		all[dir+"/name"], all[dir+"/in_temp_input"] = name, "21000\n"
		for i := 0; i < len(more); i += 2 {
			all[dir+"/"+more[i]] = more[i+1]
		}
		all[fmt.Sprintf("bus/iio/devices/iio:device%d", n)] = "->../../../" + dir
	}
	chip(0, "platform/fe1.i2c/i2c-1/1-0076/iio:device0", "bme280", "label", "attic\n")
	chip(1, "platform/fe1.i2c/i2c-1/1-0077/iio:device1", "bme280", "label", "cellar\n")
	chip(2, "platform/fe2.i2c/i2c-2/2-0076/iio:device2", "bme280")
	// Behind a switch, the address is the same on each channel.
	all["devices/platform/fe2.i2c/i2c-2/2-0070/channel-0"] = "->../i2c-5"
	for i, n := range []int{5, 6} {
		all[fmt.Sprintf("devices/platform/fe2.i2c/i2c-2/i2c-%d/name", n)] = fmt.Sprintf("i2c-2-mux (chan_id %d)\n", i)
		chip(3+i, fmt.Sprintf("platform/fe2.i2c/i2c-2/i2c-%d/%[1]d-0076/iio:device%d", n, 3+i), "bme280")
	}
	// One controller with two buses.
	for n, name := range map[int]string{8: "gmbus dpb", 9: "gmbus dpc"} {
		all[fmt.Sprintf("devices/pci0000:00/0000:00:02.0/i2c-%d/name", n)] = name
		chip(n, fmt.Sprintf("pci0000:00/0000:00:02.0/i2c-%d/%[1]d-0076/iio:device%[1]d", n), "bme280")
	}
	// Two USB devices of one make, one with a serial number of zeros.
	chip(20, "pci0000:00/0000:00:14.0/usb1/1-1/1-1:1.0/iio:device20", "probe")
	chip(21, "pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/iio:device21", "probe")
	all["devices/pci0000:00/0000:00:14.0/usb1/1-1/serial"] = "A4002x\n"
	all["devices/pci0000:00/0000:00:14.0/usb1/1-2/serial"] = "000000\n"
	// Two with the same serial number, as makers do who flash one image.
	chip(22, "pci0000:00/0000:00:14.0/usb1/1-3/1-3:1.0/iio:device22", "twin")
	chip(23, "pci0000:00/0000:00:14.0/usb1/1-4/1-4:1.0/iio:device23", "twin")
	all["devices/pci0000:00/0000:00:14.0/usb1/1-3/serial"] = "0123456789\n"
	all["devices/pci0000:00/0000:00:14.0/usb1/1-4/serial"] = "0123456789\n"

	want := []string{"bme280-0000-00-02-0-gmbus-dpb-0076", "bme280-0000-00-02-0-gmbus-dpc-0076", "bme280-attic", "bme280-cellar",
		"bme280-fe2-i2c-0076", "bme280-fe2-i2c-channel0-0076", "bme280-fe2-i2c-channel1-0076", "probe-0000-00-14-0-2-1-0",
		"probe-a4002x", "twin-0000-00-14-0-3-1-0", "twin-0000-00-14-0-4-1-0"}
	if got := named(files(t, all)); !slices.Equal(got, want) {
		t.Errorf("they are called\n%q, want\n%q", got, want)
	}
}

// TestZones: two thermal zones of ACPI are told apart by their names there.
func TestZones(t *testing.T) {
	all := make(map[string]string)
	for n, path := range []string{`\_TZ_.TZ01`, `\_TZ_.TZ00`} {
		zone := fmt.Sprintf("devices/virtual/thermal/thermal_zone%d", n)
		all[zone+"/type"], all[zone+"/temp"] = "acpitz\n", "30000\n"
		all[zone+"/device"] = fmt.Sprintf("->../../../LNXSYSTM:00/LNXTHERM:0%d", n)
		all[fmt.Sprintf("devices/LNXSYSTM:00/LNXTHERM:0%d/path", n)] = path + "\n"
		all[fmt.Sprintf("class/thermal/thermal_zone%d", n)] = "->../../" + zone
	}
	if got, want := named(files(t, all)), []string{"acpitz-tz-tz00", "acpitz-tz-tz01"}; !slices.Equal(got, want) {
		t.Errorf("they are called %q, want %q", got, want)
	}
}

// TestTwins: two devices with the same serial number are not taken for each other when the kernel counts in another order.
func TestTwins(t *testing.T) {
	root := files(t, map[string]string{
		"devices/pci0000:00/0000:00:14.0/usb1/1-3/serial": "1234\n", "devices/pci0000:00/0000:00:14.0/usb1/1-4/serial": "1234\n",
		"devices/pci0000:00/0000:00:14.0/usb1/1-3/1-3:1.0/iio:device0/name":          "probe",
		"devices/pci0000:00/0000:00:14.0/usb1/1-3/1-3:1.0/iio:device0/in_temp_input": "3000",
		"devices/pci0000:00/0000:00:14.0/usb1/1-4/1-4:1.0/iio:device1/name":          "probe",
		"devices/pci0000:00/0000:00:14.0/usb1/1-4/1-4:1.0/iio:device1/in_temp_input": "4000",
		"bus/iio/devices/iio:device0":                                                "->../../../devices/pci0000:00/0000:00:14.0/usb1/1-3/1-3:1.0/iio:device0",
		"bus/iio/devices/iio:device1":                                                "->../../../devices/pci0000:00/0000:00:14.0/usb1/1-4/1-4:1.0/iio:device1",
	})
	f := found(t, root, "probe-0000-00-14-0-3-1-0")
	link := filepath.Join(root, "bus/iio/devices")
	for _, err := range []error{ // what was 0 is now 2
		os.Rename(filepath.Join(root, "devices/pci0000:00/0000:00:14.0/usb1/1-3/1-3:1.0/iio:device0"),
			filepath.Join(root, "devices/pci0000:00/0000:00:14.0/usb1/1-3/1-3:1.0/iio:device2")),
		os.Remove(filepath.Join(link, "iio:device0")),
		os.Symlink("../../../devices/pci0000:00/0000:00:14.0/usb1/1-3/1-3:1.0/iio:device2", filepath.Join(link, "iio:device2")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if values, err := read(t.Context(), f); err != nil || values[0] != 3 {
		t.Errorf("the probe at port 3 reads %v, %v", values, err)
	}
}
