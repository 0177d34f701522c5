//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "growth: it needs Linux, whose /proc says what a process computes")
	os.Exit(2)
}
