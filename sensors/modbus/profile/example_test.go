package profile_test

import (
	"fmt"

	"sighub/sensors/modbus/profile"
)

// What the words of a thermometer mean.
func Example() {
	p, err := profile.Parse("shed.yaml", []byte(`
registers:
  temp: {read: input, address: 1, type: i16, scale: 0.1, unit: Cel, none: 0x7fff}
  hum: {read: input, address: 2, scale: 0.1, unit: "%RH"}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, b := range profile.Plan(p.Registers, p.Most, p.Gap) {
		fmt.Println("read", b.Request.Count, "from", b.Request.Address)
		b.Values([]byte{0xff, 0x33, 0x02, 0x22}, func(r *profile.Register, value any, err error) {
			fmt.Println(r.Event, value, r.Unit, err)
		})
	}
	// Output:
	// read 2 from 1
	// temp -20.5 Cel <nil>
	// hum 54.6 %RH <nil>
}
