package initramfs

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

// A Module is a kernel module to load.
type Module struct {
	name  string
	image []byte
}

// FindModules returns these modules of a folder and those that they depend on, in the order in which to load them. It reads the
// modules themselves, because the index is only made when the package is installed. Modules that are built into a kernel have no
// file, so those that are not there are left out; one of them, proof, must be.
func FindModules(root string, names []string, proof string) ([]Module, error) {
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
	var found []Module
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
		found = append(found, Module{name, image})
		return nil
	}
	for _, name := range names {
		if err := add(name); err != nil {
			return nil, err
		}
	}
	if !done[proof] {
		return nil, fmt.Errorf("%s has no %s: it must be a kernel of Debian", root, proof)
	}
	return found, nil
}

// needed returns the modules that the section .modinfo of a module names.
func needed(image []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return nil, err
	}
	s := f.Section(".modinfo")
	if s == nil {
		return nil, fmt.Errorf("not a module: it has no section .modinfo")
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

// unpack reads a file that may be compressed.
func unpack(path string) ([]byte, error) {
	tool := map[string]string{".xz": "xz", ".zst": "zstd", ".gz": "gzip"}[filepath.Ext(path)]
	if tool == "" {
		return os.ReadFile(path)
	}
	return exec.Command(tool, "-dc", path).Output()
}
