//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "journalreport: it needs Linux, whose /sys counts what is written to a disk")
	os.Exit(2)
}
