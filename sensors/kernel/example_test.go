package kernel_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"sighub/sensors/kernel"
)

func Example() {
	// A machine with one thermal zone; Options{} stands for this one.
	root, err := os.MkdirTemp("", "sys")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(root) }()
	zone := filepath.Join(root, "class/thermal/thermal_zone0")
	_ = os.MkdirAll(zone, 0o755)
	_ = os.WriteFile(filepath.Join(zone, "type"), []byte("cpu-thermal\n"), 0o644)
	_ = os.WriteFile(filepath.Join(zone, "temp"), []byte("48686\n"), 0o644)

	for _, found := range kernel.Scan(kernel.Options{Root: root}) {
		sensor, err := found.Open(context.Background())
		if err != nil {
			fmt.Println(err)
			continue
		}
		values := make([]float64, len(found.Quantities))
		err = sensor.Read(context.Background(), values)
		fmt.Println(found.Name, found.Quantities[0].Name, values[0], found.Quantities[0].Unit, err)
		_ = sensor.Close()
	}
	// Output: cpu temp 48.686 Cel <nil>
}
