package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAddSensors(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	light := file("light.yaml", "sensors:\n  - {driver: bh1750, bus: I2C1}\n")
	twin := file("twin.yaml", "sensors:\n  - {driver: bh1750, bus: /dev/i2c-1, sender: other}\n")
	namesake := file("namesake.yaml", "pins: [{pin: GPIO4, sender: bh1750}]\n")
	dark := file("dark.yaml", "sensors: auto\nthresholds: [{sender: bh1750, event: lux, below: 10, report: dark}]\n")
	whole := file("whole.yaml", "sensors: auto\nserial: none\n")
	for _, test := range []struct {
		name string
		args []string
		want string // the summary, or a part of the error
	}{
		{"nothing", nil, "1 address, serial ports: auto"},
		{"auto", []string{"auto"}, "1 address, serial ports: auto, sensors: auto"},
		{"none", []string{"none"}, "1 address, serial ports: auto"},
		{"files", []string{light, dark}, "1 address, serial ports: auto, sensors: auto, bh1750, 1 threshold"},
		{"twice", []string{light, twin}, "address 0x23 on I2C1 is also in another file"},
		{"names", []string{light, namesake}, "sender bh1750 is also in another file"},
		{"none and one", []string{"none", "auto"}, "--sensors none means no sensor at all"},
		{"no file", []string{filepath.Join(dir, "x")}, "no such file: check the path given to --sensors"},
		{"more", []string{whole}, `whole.yaml:2:1: "serial" is not a key of a file of sensors: it may have sensors, pins, thresholds`},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := Default()
			err := c.AddSensors(t.Context(), test.args)
			got := c.Summary()
			if err != nil {
				got = err.Error()
			}
			if !strings.HasSuffix(got, test.want) && !strings.Contains(got, test.want+":") {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	c, err := Parse("x", []byte("sensors: [auto]\npins: [{pin: GPIO4}]"))
	if err != nil || c.Sensing.Empty() {
		t.Fatal(err)
	}
	if err := c.AddSensors(t.Context(), []string{NoSensors}); err != nil || !c.Sensing.Empty() {
		t.Errorf("%+v, %v", c.Sensing, err)
	}
}
