package frame_test

import (
	"fmt"

	"sighub/sensors/modbus/frame"
)

// The question that a master asks a thermometer, and what it makes of the answer, though there is noise before it.
func Example() {
	request := frame.Request{Function: frame.ReadInput, Address: 1, Count: 1}
	fmt.Printf("% x\n", frame.AppendRTU(nil, 1, request.Append(nil)))
	arrived := []byte{0xff, 0x00, 0x01, 0x04, 0x02, 0x01, 0x31, 0x79, 0x74}
	found, ok := frame.FindAnswer(arrived, 1, &request, false)
	fmt.Printf("%t: % x after %d bytes\n", ok, found.Data, found.Before)
	// Output:
	// 01 04 00 01 00 01 60 0a
	// true: 01 31 after 2 bytes
}
