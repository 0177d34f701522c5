// Package initramfs makes the first file system of the laboratories' machines.
package initramfs

import (
	"bufio"
	"errors"
	"fmt"
	"os"
)

// A Program is a file that can be executed.
type Program struct {
	Name string // without a slash at its beginning
	From string // the file on this machine
}

// Write writes a file system with these programs, one of which is "init", and /modules with the modules to load, in order.
func Write(path string, modules []Module, programs ...Program) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	to := bufio.NewWriterSize(f, 1<<20)
	a := archive{to: to}
	for _, dir := range []string{"dev", "proc", "sys", "tmp", "bin", "modules"} {
		a.dir(dir)
	}
	// The kernel opens it for /init before anything is mounted.
	a.add("dev/console", modeDevice|0o600, nil, 5, 1)
	for _, p := range programs {
		data, err := os.ReadFile(p.From)
		if err != nil {
			return err
		}
		a.program(p.Name, data)
	}
	for i, m := range modules {
		a.program(fmt.Sprintf("modules/%02d-%s.ko", i, m.name), m.image)
	}
	return errors.Join(a.close(), to.Flush())
}
