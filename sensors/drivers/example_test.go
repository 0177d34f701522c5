package drivers_test

import (
	"fmt"

	"sighub/sensors/drivers"
)

func Example() {
	d, err := drivers.Find("bh1750")
	if err != nil {
		fmt.Println(err)
		return
	}
	q := d.Quantities[0]
	fmt.Printf("%s: %s up to %.0f %s\n", d.Summary, q.Name, q.Max, q.Unit)
	fmt.Println(d.Check(0x24, drivers.Options{}))
	fmt.Println(d.Check(0x23, drivers.Options{Mode: "fine"}))
	// Output:
	// ROHM BH1750FVI: light: lux up to 54612 lx
	// drivers: bh1750: address must be one of 0x23, 0x5c, not 0x24
	// drivers: bh1750: mode must be one of high, high2, low, not fine
}
