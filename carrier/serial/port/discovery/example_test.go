//go:build !windows

package discovery_test

import (
	"fmt"
	"os"
	"path/filepath"

	"sighub/carrier/serial/port/discovery"
)

// A pattern names the ports of a machine, here of one that consists of two files.
func Example() {
	root, err := os.MkdirTemp("", "machine")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(root) }()
	if err := os.Mkdir(filepath.Join(root, "dev"), 0o755); err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range []string{"ttyUSB0", "ttyUSB1"} {
		if err := os.WriteFile(filepath.Join(root, "dev", name), nil, 0o600); err != nil {
			fmt.Println(err)
			return
		}
	}

	pattern, err := discovery.Parse("/dev/ttyUSB*")
	if err != nil {
		fmt.Println(err)
		return
	}
	ports, err := discovery.System{Root: root}.Find(pattern)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range ports {
		fmt.Println(filepath.Base(p.Path))
	}
	// Output:
	// ttyUSB0
	// ttyUSB1
}
