package gateway

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sighub/internal/config"
)

func TestFindings(t *testing.T) {
	cfg, err := config.Parse("x.yaml", []byte(`sensors:
  - {driver: bh1750, bus: sim, sender: a}
  - {driver: bh1750, bus: I2C1, sender: b}
  - {driver: bh1750, bus: I2C7, sender: c}
  - {driver: ds18b20, bus: OneWire1, address: 0x740000070e41ac28, sender: d}
  - {kernel: nothing}
pins:
  - {pin: GPIO17}
`))
	if err != nil {
		t.Fatal(err)
	}
	dev, sys := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(dev, "i2c-1"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range Findings(cfg, sys, dev) {
		got = append(got, f.Error())
	}
	for i, want := range []string{"x.yaml:4:1: sensor c: there is no " + dev + "/i2c-7: switch I2C on", "x.yaml:5:1: sensor d: there is no OneWire1",
		"x.yaml:6:1: sensor nothing: the kernel has no sensor called nothing, and no other", "x.yaml:8:1: pin GPIO17: this machine has no pins"} {
		if i >= len(got) || !strings.HasPrefix(got[i], want) {
			t.Errorf("%s is not in %q", want, got)
		}
	}
	if len(got) != 4 {
		t.Errorf("%q", got)
	}
}
