package rollup

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"sighub/journal/folder"
)

// Runs are those of a folder, in the order of their sequences. They are replaced, and never changed.
type Runs []*Run

// Load returns the runs of a folder, and the names of files that are of no use. It changes nothing. Errors are of files that cannot be
// read.
func Load(dir folder.Folder) (runs Runs, useless []string, errs []error) {
	names, err := dir.List()
	if err != nil {
		return nil, nil, []error{err}
	}
	for _, name := range names {
		if !isName(name) {
			continue
		}
		r, err := readRun(dir, name)
		if err != nil {
			useless, errs = append(useless, name), append(errs, fmt.Errorf("%s: %w", name, err))
			continue
		}
		runs = append(runs, r)
	}
	slices.SortFunc(runs, func(a, b *Run) int {
		if c := cmp.Compare(a.From, b.From); c != 0 {
			return c
		}
		return cmp.Compare(b.To, a.To)
	})
	to := uint64(0)
	runs = slices.DeleteFunc(runs, func(r *Run) bool { // it was folded into the one before, and not removed yet
		if r.From < to {
			useless = append(useless, r.Name())
			return true
		}
		to = r.To
		return false
	})
	return runs, useless, errs
}

// End returns the sequence behind the last run, or 0 without any run.
func (rs Runs) End() uint64 {
	if len(rs) == 0 {
		return 0
	}
	return rs[len(rs)-1].To
}

// Bytes returns the size of all files.
func (rs Runs) Bytes() (n int64) {
	for _, r := range rs {
		n += r.Size
	}
	return n
}

// With returns the runs with another one.
func (rs Runs) With(r *Run) Runs {
	i, _ := slices.BinarySearchFunc(rs, r.From, func(r *Run, from uint64) int { return cmp.Compare(r.From, from) })
	return slices.Insert(slices.Clone(rs), i, r)
}

// Without returns the runs without some.
func (rs Runs) Without(gone ...*Run) Runs {
	return slices.DeleteFunc(slices.Clone(rs), func(r *Run) bool { return slices.Contains(gone, r) })
}

// Remove removes the file of a run.
func (r *Run) Remove(dir folder.Folder) error {
	if err := dir.Remove(r.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// foldAtOnce is how many runs become one.
const foldAtOnce = 16

// Foldable returns the oldest runs that have minutes, if they are so many that it is worth it, and keeps some that are new.
func (rs Runs) Foldable() Runs {
	for i, r := range rs {
		if r.Minutes {
			n := 1
			for n < foldAtOnce && i+n < len(rs) && rs[i+n].Minutes && rs[i+n].From == rs[i+n-1].To {
				n++
			}
			if i+n+2 > len(rs) {
				return nil
			}
			return rs[i : i+n]
		}
	}
	return nil
}

// A Report is what a file has.
type Report struct {
	Name string
	Size int64
	Err  error // why some of it cannot be read
}

// Verify reads all runs of a folder.
func Verify(dir folder.Folder) (list []Report) {
	names, _ := dir.List()
	slices.Sort(names)
	for _, name := range names {
		if !isName(name) {
			continue
		}
		report := Report{Name: name}
		r, err := readRun(dir, name)
		if err == nil {
			report.Size, err = r.Size, r.Check(dir)
		}
		if !errors.Is(err, fs.ErrNotExist) { // else it was folded meanwhile
			report.Err = err
			list = append(list, report)
		}
	}
	return list
}

// Check reads all of a run.
func (r *Run) Check(dir folder.Folder) (err error) {
	o, err := r.open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.f.Close()) }()
	for i := range o.entries {
		e, err := o.entry(i)
		if err != nil {
			return err
		}
		for _, b := range []struct {
			at, length uint32
			step       int64
		}{{e.minutes, e.minutesL, Minute}, {e.hours, e.hourL, Hour}} {
			if b.at == 0 {
				continue
			}
			_, d, err := o.block(b.at, b.length)
			if err != nil {
				return err
			}
			if err := d.sums(b.step, func(*Sum) {}); err != nil {
				return err
			}
		}
	}
	return nil
}
