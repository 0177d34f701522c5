package homeassistant

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// memory is what is in the file.
type memory struct {
	Version   int                   `json:"version"`
	Senders   []*known              `json:"senders"`
	Published map[string]*published `json:"published"`
	Retained  []string              `json:"retained"`          // topics of states
	Cleared   map[string]time.Time  `json:"cleared,omitempty"` // topics of announcements
}

// version is that of the file's form.
const version = 1

// maxFile is the size of the largest file that is read, in bytes.
const maxFile = 64 << 20

// load reads the file. If there is none, nothing is remembered. One that is damaged is an error, for it may say what has to be cleared.
func load(file string) (*memory, error) {
	m := &memory{Published: make(map[string]*published)}
	if file == "" {
		return m, nil
	}
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	var data []byte
	if err == nil && info.Size() > maxFile {
		err = errors.New("it is too large")
	}
	if err == nil {
		data, err = os.ReadFile(file)
	}
	if err == nil {
		err = json.Unmarshal(data, m)
	}
	if err == nil {
		err = m.check()
	}
	if err != nil {
		return nil, fmt.Errorf("homeassistant: %s, which says what was announced to Home Assistant, cannot be read: %w: remove it, and in Home Assistant "+
			"the devices that stay unavailable", file, err)
	}
	return m, nil
}

// check returns an error unless everything is there that the code takes for granted.
func (m *memory) check() error {
	if m.Version != version {
		return fmt.Errorf("its version is %d, not %d", m.Version, version)
	}
	for _, s := range m.Senders {
		if s == nil || s.Name == "" {
			return errors.New("a sender has no name")
		}
	}
	for topic, p := range m.Published {
		if topic == "" || p == nil {
			return errors.New("an announcement is empty")
		}
	}
	if m.Published == nil {
		m.Published = make(map[string]*published)
	}
	return nil
}

// save writes the file: see WriteFile.
func (m *memory) save(file string) error {
	m.Version = version
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return WriteFile(file, append(data, '\n'))
}

// WriteFile writes a file so that whoever reads it finds all of it, or the one before it, also after a loss of power.
func WriteFile(file string, data []byte) (err error) {
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(file)+"-")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncFolder(dir)
}

// syncFolder makes the names in a folder last. Not all systems can do that.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = d.Sync() // Windows cannot, and needs it not
	return d.Close()
}

// remove removes the file. A file that does not exist is not an error.
func remove(file string) error {
	if file == "" {
		return nil
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("homeassistant: what was announced cannot be forgotten: %w", err)
	}
	return nil
}
