package fault_test

import (
	"fmt"
	"time"

	"sighub/carrier/serial/fault"
)

// A test in virtual time asks a line itself; ports in real time are opened through a Cable.
func ExampleLine() {
	o, err := fault.Parse("drop=30%,baud=9600,seed=2")
	if err != nil {
		fmt.Println(err)
		return
	}
	line, err := fault.NewLine(o.ToHub, o.Seed)
	if err != nil {
		fmt.Println(err)
		return
	}
	begin := time.Unix(0, 0)
	line.Send(begin, []byte("one\x00two\x00three\x00four\x00"))
	now := begin
	buf := make([]byte, 64)
	var arrived []byte
	for {
		n, next := line.Receive(now, buf)
		arrived = append(arrived, buf[:n]...)
		if next.IsZero() {
			break
		}
		now = next
	}
	fmt.Printf("%q after %s: %v\n", arrived, now.Sub(begin).Round(time.Millisecond), line.Stats())
	// Output: "one\x00\x00three\x00\x00" after 20ms: 2 frames dropped, in 19 bytes and 4 frames
}
