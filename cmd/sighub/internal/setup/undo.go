package setup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sighub/access/identities"
	"sighub/internal/guard"
)

// A record is what was made, in the order in which it was made.
type record struct {
	Folders []string `json:"folders,omitempty"`
	Files   []file   `json:"files,omitempty"`
	Key     string   `json:"key,omitempty"` // the folder of the hub's key
	Block   *change  `json:"block,omitempty"`
}

type file struct {
	Path string `json:"path"`
	Sum  string `json:"sha256"`
}

// A change is a text that was added to a file.
type change struct {
	Path string `json:"path"`
	Text string `json:"text"`
}

func (o *Options) recordFile() string { return filepath.Join(o.State(), "setup.json") }

func (r *record) load(path string) error {
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil:
		err = json.Unmarshal(data, r)
	}
	if err != nil {
		return fmt.Errorf("%s, which says what was set up, cannot be read: %w: move it away", path, err)
	}
	return nil
}

func (r *record) save(path string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return replace(path, string(data)+"\n", 0o600)
}

// An Undone is something that was made, and what has become of it.
type Undone struct {
	Path string
	Kept string // why it was kept; empty: it was removed, or would be
}

// Undo takes back what was set up, and tells of each thing; if dry, it only tells. What somebody has changed since is kept.
func Undo(o Options, dry bool) (list []Undone, err error) {
	var r record
	if err := r.load(o.recordFile()); err != nil {
		return nil, err
	}
	if _, err := os.Stat(o.recordFile()); err != nil {
		return nil, fmt.Errorf("nothing was set up here: there is no %s", o.recordFile())
	}
	u := &undoing{dry: dry}
	if r.Block != nil {
		u.block(r.Block)
	}
	for _, f := range slices.Backward(r.Files) {
		u.file(f)
	}
	if r.Key != "" {
		u.key(r.Key, o.Identities())
	}
	if err := errors.Join(u.errs...); err != nil {
		return u.list, err // the record stays
	}
	u.remove(o.recordFile())
	for _, folder := range slices.Backward(r.Folders) {
		u.folder(folder)
	}
	return u.list, errors.Join(u.errs...)
}

// Identities returns the folder in which the hub keeps whom it knows.
func (o *Options) Identities() string { return guard.Folder(o.State()) }

type undoing struct {
	dry     bool
	list    []Undone
	removed []string
	errs    []error
}

func (u *undoing) keep(path, why string) { u.list = append(u.list, Undone{path, why}) }

func (u *undoing) remove(path string) {
	if !u.dry {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			u.errs = append(u.errs, err)
			return
		}
	}
	u.removed = append(u.removed, path)
	u.list = append(u.list, Undone{Path: path})
}

func (u *undoing) file(f file) {
	data, err := os.ReadFile(f.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		u.errs = append(u.errs, err)
	case sum(string(data)) != f.Sum:
		u.keep(f.Path, "it was changed since")
	default:
		u.remove(f.Path)
	}
}

// block takes a text out of a file again.
func (u *undoing) block(c *change) {
	data, err := os.ReadFile(c.Path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			u.errs = append(u.errs, err)
		}
		return
	}
	before, after, found := strings.Cut(string(data), c.Text)
	if !found {
		u.keep(c.Path, "what was added to it was changed since")
		return
	}
	if !u.dry {
		info, err := os.Stat(c.Path)
		if err == nil {
			err = replace(c.Path, before+after, info.Mode().Perm())
		}
		if err != nil {
			u.errs = append(u.errs, err)
			return
		}
	}
	u.list = append(u.list, Undone{Path: c.Path + " (what was added to it)"})
}

// key removes the hub's key, unless somebody knows the hub by it.
func (u *undoing) key(folder, known string) {
	list, err := identities.Read(known)
	if err != nil {
		u.keep(folder, "others may know the hub by this key")
		return
	}
	n := 0
	for _, id := range list {
		if id.Active() {
			n++
		}
	}
	if n > 0 {
		u.keep(folder, fmt.Sprintf("%d others know the hub by this key: remove it yourself if they are not to come back", n))
		return
	}
	for _, file := range filesIn(folder) {
		u.remove(file)
	}
	u.folder(folder)
}

// folder removes a folder that has nothing in it any more.
func (u *undoing) folder(path string) {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return slices.Contains(u.removed, filepath.Join(path, e.Name())) })
	if err != nil || len(entries) > 0 {
		u.keep(path, "something else is in it")
		return
	}
	u.remove(path)
}
