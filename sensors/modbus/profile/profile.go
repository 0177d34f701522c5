package profile

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sighub/internal/safetext"
	"sighub/internal/yamlfile"
)

// DefaultInterval is how often registers are read whose interval nobody says.
const DefaultInterval = 10 * time.Second

// A Profile is the register map of a kind of device.
type Profile struct {
	Name, Source string // of people
	// ID, Baud, Parity and Stop are the device's as it comes from its maker; zero: not known.
	ID, Baud     int
	Parity, Stop string
	Interval     time.Duration
	// Most and Gap are for [Plan].
	Most, Gap int
	// Identify are events whose values are within their ranges if a device is of this kind.
	Identify  []string
	Registers []Register
}

// Find returns the register of an event, or nil if no register has that event.
func (p *Profile) Find(event string) *Register {
	for i := range p.Registers {
		if p.Registers[i].Event == event {
			return &p.Registers[i]
		}
	}
	return nil
}

//go:embed files/*.yaml
var embedded embed.FS

const ending = ".yaml"

// Names returns the names of the profiles that come with the package.
func Names() (names []string) {
	files, _ := embedded.ReadDir("files") // it is there
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ending))
	}
	return names
}

// A Library finds profiles by name: in a folder of the user's, then among those that come with the package. A name with a slash, or that
// ends in .yaml, is the path of a file.
type Library struct {
	Folder string // empty: there is none
}

// Find returns a profile. If its file has mistakes, the error joins them, with their lines.
func (l Library) Find(name string) (*Profile, error) {
	if strings.ContainsAny(name, `/\`) || strings.HasSuffix(name, ending) {
		path := name
		if l.Folder != "" && !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(l.Folder), path) // beside the configuration, as the folder is
		}
		return load(path)
	}
	if l.Folder != "" {
		p, err := load(filepath.Join(l.Folder, name+ending))
		if !errors.Is(err, fs.ErrNotExist) {
			return p, err
		}
	}
	data, err := embedded.ReadFile("files/" + name + ending)
	if err != nil {
		where := ""
		if l.Folder != "" {
			where = ", nor is there a " + filepath.Join(l.Folder, name+ending)
		}
		return nil, fmt.Errorf("there is no profile %q%s: write %s, or registers", safetext.Short(name, 64), where, yamlfile.OrList(Names()))
	}
	return Parse(name+ending, data)
}

// load reads a file, but no more of it than a profile may have.
func load(path string) (*Profile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the profile cannot be read: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file", path)
	}
	var data []byte
	if err == nil {
		data, err = io.ReadAll(io.LimitReader(f, yamlfile.MaxFile+1))
	}
	if err != nil {
		return nil, fmt.Errorf("the profile cannot be read: %w", err)
	}
	return Parse(path, data)
}

// All returns the profiles that a library has, by name, and leaves out those that cannot be read.
func (l Library) All() (names []string, list []*Profile) {
	names = Names()
	own, _ := filepath.Glob(filepath.Join(l.Folder, "*"+ending))
	for _, path := range own {
		if name := strings.TrimSuffix(filepath.Base(path), ending); l.Folder != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	names = slices.DeleteFunc(names, func(name string) bool {
		p, err := l.Find(name)
		if err == nil {
			list = append(list, p)
		}
		return err != nil
	})
	return names, list
}

// With returns the profile with what own says instead, as far as it says anything, and only with these events; none: with all. A register
// of own takes the place of one with the same event.
func (p *Profile) With(own *Profile, events []string) (Profile, error) {
	all := *p
	all.Interval = cmp.Or(own.Interval, p.Interval, DefaultInterval)
	all.Most, all.Gap = cmp.Or(own.Most, p.Most), cmp.Or(own.Gap, p.Gap)
	all.Registers = slices.Clone(p.Registers)
	for _, r := range own.Registers {
		if before := all.Find(r.Event); before != nil {
			*before = r
		} else {
			all.Registers = append(all.Registers, r)
		}
	}
	for _, event := range events {
		if all.Find(event) == nil {
			var known []string
			for _, r := range all.Registers {
				known = append(known, r.Event)
			}
			return all, fmt.Errorf("events: there is no %q: it has %s", safetext.Short(event, 64), safetext.Short(strings.Join(known, ", "), 200))
		}
	}
	if len(events) > 0 {
		all.Registers = slices.DeleteFunc(all.Registers, func(r Register) bool { return !slices.Contains(events, r.Event) })
	}
	all.settle()
	return all, nil
}
