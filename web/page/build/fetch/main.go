// Command fetch fetches the libraries of the page from an npm registry, as ../../libraries/libraries.txt names them, and takes the files
// that are needed. It takes nothing whose checksum differs.
//
//	go run ./fetch -registry "$(npm config get registry)"
package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// largest is how large a tarball may be, in bytes, packed or not.
const largest = 16 << 20

func main() {
	registry := flag.String("registry", os.Getenv("npm_config_registry"), "the address of an npm registry")
	dir := flag.String("dir", "../libraries", "the folder of the libraries")
	flag.Parse()
	if err := run(*registry, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "fetch:", err)
		os.Exit(1)
	}
}

func run(registry, dir string) error {
	if registry == "" {
		return errors.New(`which registry? Give -registry "$(npm config get registry)"`)
	}
	list, err := os.Open(filepath.Join(dir, "libraries.txt"))
	if err != nil {
		return err
	}
	defer list.Close()
	lines := bufio.NewScanner(list)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) < 4 {
			return fmt.Errorf("%s: write name, version, sha512 and files", lines.Text())
		}
		if err := fetch(registry, dir, fields[0], fields[1], fields[2], fields[3:]); err != nil {
			return fmt.Errorf("%s %s: %w", fields[0], fields[1], err)
		}
	}
	return lines.Err()
}

// fetch takes files from the tarball of a library.
func fetch(registry, dir, name, version, sum string, files []string) error {
	client := http.Client{Timeout: 2 * time.Minute}
	answer, err := client.Get(fmt.Sprintf("%s/%s/-/%s-%s.tgz", strings.TrimSuffix(registry, "/"), name, path.Base(name), version))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the registry answers %s", answer.Status)
	}
	packed, err := io.ReadAll(io.LimitReader(answer.Body, largest))
	if err != nil {
		return err
	}
	if got := sha512.Sum512(packed); base64.StdEncoding.EncodeToString(got[:]) != sum {
		return fmt.Errorf("the checksum is %s, not %s: nothing is taken", base64.StdEncoding.EncodeToString(got[:]), sum)
	}
	found, err := unpack(packed, files)
	if err != nil {
		return err
	}
	to := filepath.Join(dir, path.Base(name))
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for file, content := range found {
		if err := os.WriteFile(filepath.Join(to, path.Base(file)), content, 0o644); err != nil {
			return err
		}
	}
	fmt.Println(name, version, "is in", to)
	return nil
}

// unpack returns the files of these names.
func unpack(packed []byte, files []string) (map[string][]byte, error) {
	plain, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	found := make(map[string][]byte)
	for archive := tar.NewReader(io.LimitReader(plain, largest)); ; {
		head, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		_, name, _ := strings.Cut(head.Name, "/")
		if !slices.Contains(files, name) {
			continue
		}
		if found[name], err = io.ReadAll(archive); err != nil {
			return nil, err
		}
	}
	for _, file := range files {
		if found[file] == nil {
			return nil, fmt.Errorf("there is no file %s", file)
		}
	}
	return found, nil
}
