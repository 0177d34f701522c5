package sensors_test

import (
	"fmt"

	"sighub/sensors"
)

func Example() {
	r := sensors.Reading{Value: 21.5, Unit: sensors.Celsius}
	fmt.Println(r)
	// Output: 21.5 Cel
}
