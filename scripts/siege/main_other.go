//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "siege: it needs Linux, whose /proc says what a process holds")
	os.Exit(2)
}
