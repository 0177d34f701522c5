package sensing

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestScanOfTheKernel(t *testing.T) {
	sys := t.TempDir()
	for name, text := range map[string]string{
		"class/thermal/thermal_zone0/type": "cpu-thermal\n", "class/thermal/thermal_zone0/temp": "48686\n",
		"bus/iio/devices/iio:device0/name": "compass\n", "bus/iio/devices/iio:device0/in_rot_raw": "90\n",
		"class/hwmon/hwmon0/name": "rpi_volt\n", "class/hwmon/hwmon0/in0_input": "1250\n",
	} {
		path := filepath.Join(sys, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		json bool
		want string
	}{
		{false, "kernel  -        cpu (thermal)     temp                    {kernel: cpu}\n"},
		{false, "kernel  -        compass (iio)     not understood: in_rot  -\n"},
		{true, `"kind":"iio","path":"`},
		{true, `{"kernel":"cpu","kind":"thermal","path":"`},
	} {
		var out, errs bytes.Buffer
		c := Scan{Out: &out, Note: func(format string, args ...any) { fmt.Fprintf(&errs, format+"\n", args...) }, JSON: test.json, Sys: sys}
		err := c.Run(t.Context(), nil)
		// A machine may have buses that this user may not open.
		if text := out.String(); !strings.Contains(text, test.want) || err != nil && !strings.Contains(err.Error(), "/dev/i2c-") {
			t.Errorf("%s\n%s%v", text, &errs, err)
		}
	}
}
