package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
)

// writeInitramfs writes the only file system of the machine: /init is the agent, /bin/sighub the hub, and /modules the modules to
// load, in order.
func writeInitramfs(path, agent, hub string, modules []module) (err error) {
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
	for _, p := range []struct{ name, from string }{{"init", agent}, {"bin/sighub", hub}} {
		data, err := os.ReadFile(p.from)
		if err != nil {
			return err
		}
		a.program(p.name, data)
	}
	for i, m := range modules {
		a.program(fmt.Sprintf("modules/%02d-%s.ko", i, m.name), m.image)
	}
	return errors.Join(a.close(), to.Flush())
}
