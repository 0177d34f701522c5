// Package joined remembers the hub that somebody's commands have joined, and the key by which that hub knows them: in a folder of the
// user's own.
package joined

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"sighub/listen/keys"
)

// A Hub is one that was joined.
type Hub struct {
	Address  string    `json:"address"`  // host:port
	Pin      string    `json:"pin"`      // of the hub's key
	Identity string    `json:"identity"` // that the hub knows this user by
	Joined   time.Time `json:"joined"`
}

// URL returns the address as commands take it, with the pin.
func (h *Hub) URL() string { return "tls://" + h.Address + "/" + h.Pin }

// The names of the files in the folder.
const (
	hubFile = "hub.json"
	keyFile = "client.key"
)

// Folder returns the folder of this user.
func Folder() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("there is no folder for this user's configuration: set HOME: %w", err)
	}
	return filepath.Join(dir, "sighub"), nil
}

// KeyFile returns the file in the folder that has the user's key.
func KeyFile(folder string) string { return filepath.Join(folder, keyFile) }

// maxFile is the size of the largest file that is read, in bytes.
const maxFile = 64 << 10

// Load returns the hub that was joined, or nil if no hub was joined.
func Load(folder string) (*Hub, error) {
	file := filepath.Join(folder, hubFile)
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // as it says
	}
	damaged := func(err error) (*Hub, error) {
		return nil, fmt.Errorf("%s, which says which hub was joined, cannot be used: %w: `sighub leave` removes it, and `sighub join` makes another one", file, err)
	}
	if err != nil || info.Size() > maxFile {
		return damaged(errors.Join(err, errors.New("it is too large")))
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return damaged(err)
	}
	h := new(Hub)
	if err := json.Unmarshal(data, h); err != nil {
		return damaged(err)
	}
	if _, err := keys.ParsePin(h.Pin); err != nil || h.Address == "" {
		return damaged(errors.New("it has no address, or no pin"))
	}
	return h, nil
}

// Save remembers a hub, in place of the one before. The file is replaced as a whole.
func Save(folder string, h *Hub) error {
	data, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(folder, ".hub-") // only its user may read it
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(folder, hubFile))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// Forget removes what is remembered, and the key. It returns the files that it has removed.
func Forget(folder string) (removed []string, err error) {
	for _, file := range Files(folder) {
		if e := os.Remove(file); e != nil {
			err = errors.Join(err, e)
			continue
		}
		removed = append(removed, file)
	}
	_ = os.Remove(folder) // somebody may have something else in it
	return removed, err
}

// Files returns what there is to forget.
func Files(folder string) (list []string) {
	for _, name := range []string{hubFile, keyFile} {
		if _, err := os.Lstat(filepath.Join(folder, name)); err == nil {
			list = append(list, filepath.Join(folder, name))
		}
	}
	return list
}
