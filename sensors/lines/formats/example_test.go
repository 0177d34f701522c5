package formats_test

import (
	"fmt"
	"time"

	"sighub/sensors/lines/formats"
)

func Example() {
	parser, err := formats.New(formats.Options{Format: formats.Pairs})
	if err != nil {
		fmt.Println(err)
		return
	}
	var lines formats.Splitter
	lines.Feed([]byte("temp:21.5C hum:40%\r\nBooting...\r\n"), time.Now(), func(line []byte, at time.Time) {
		events, err := parser.Parse(nil, string(line), at)
		for _, e := range events {
			fmt.Println(e.Name, e.Value, e.Unit)
		}
		if err != nil {
			fmt.Println(err)
		}
	})
	// Output:
	// temp 21.5 Cel
	// hum 40 %
	// this is not a line of the format: something stands between the pairs
}

func ExampleLooks() {
	look, ok := formats.Looks([]string{"12;6;1;0;0;36.5", "12;7;1;0;1;55"})
	fmt.Println(look.Format, look.Events, ok)
	// Output: mysensors [12.6 12.7] true
}
