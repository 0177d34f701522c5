package main

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The modules of which the machine is made: a port to the agent, USB, and the adapter's driver. Those that a kernel has
// built in have no file.
func wantedModules() []string {
	return []string{"virtio_pci", "virtio_console", "xhci_pci", "ftdi_sio"}
}

// A module is a piece of the kernel, as it is loaded.
type module struct {
	name  string
	image []byte
}

// findModules returns these modules and those that they need, in the order in which they can be loaded. It asks the
// modules themselves: the package leaves the index to be made where it is installed.
func findModules(root string, names []string) ([]module, error) {
	files := make(map[string]string)
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if base, ext, ok := strings.Cut(filepath.Base(path), ".ko"); ok && (ext == "" || ext == ".xz" || ext == ".zst" || ext == ".gz") {
			files[strings.ReplaceAll(base, "-", "_")] = path
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var found []module
	done := make(map[string]bool)
	var add func(name string) error
	add = func(name string) error {
		path := files[name]
		if done[name] || path == "" {
			return nil
		}
		done[name] = true
		image, err := unpack(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		needs, err := needed(image)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, n := range needs {
			if err := add(n); err != nil {
				return err
			}
		}
		found = append(found, module{name, image})
		return nil
	}
	for _, name := range names {
		if err := add(name); err != nil {
			return nil, err
		}
	}
	if !done["ftdi_sio"] {
		return nil, fmt.Errorf("%s has no ftdi_sio: that is no kernel of Debian's", root)
	}
	return found, nil
}

// needed returns what the module's section .modinfo says about others.
func needed(image []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return nil, err
	}
	s := f.Section(".modinfo")
	if s == nil {
		return nil, fmt.Errorf("no module: it has no section .modinfo")
	}
	info, err := s.Data()
	if err != nil {
		return nil, err
	}
	for entry := range bytes.SplitSeq(info, []byte{0}) {
		if list, ok := strings.CutPrefix(string(entry), "depends="); ok && list != "" {
			return strings.Split(strings.ReplaceAll(list, "-", "_"), ","), nil
		}
	}
	return nil, nil
}

// unpack reads a file, which may be compressed.
func unpack(path string) ([]byte, error) {
	tool := map[string]string{".xz": "xz", ".zst": "zstd", ".gz": "gzip"}[filepath.Ext(path)]
	if tool == "" {
		return os.ReadFile(path)
	}
	return exec.Command(tool, "-dc", path).Output()
}
