//go:build linux || darwin

package port_test

import (
	"bufio"
	"context"
	"fmt"

	"sighub/carrier/serial/port"
)

// A program reads lines of text from a serial port. A pseudo terminal stands for the device.
func Example() {
	pty, err := port.NewPTY("")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pty.Close()
	thermometer, err := pty.Open(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	_, _ = thermometer.Write([]byte("21.5 C\n21.7 C\n"))

	p, err := port.Open(pty.Path(), 9600)
	if err != nil {
		fmt.Println(err, port.Remedy(err))
		return
	}
	defer p.Close()
	lines := bufio.NewScanner(p)
	for range 2 {
		lines.Scan()
		fmt.Println(lines.Text())
	}
	// Output:
	// 21.5 C
	// 21.7 C
}
