package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"sighub/journal/folder"
	"sighub/journal/internal/rollup"
)

// A SegmentReport is what a segment has.
type SegmentReport struct {
	Name     string
	Size     int64
	Err      error // why nothing of it can be read; the rest is then zero
	Began    time.Time
	First    Position // of its first event
	Next     uint64   // the sequence behind its last event
	Events   uint64   // that can be read
	Lost     uint64   // that cannot
	Frames   int
	Damaged  int // places of 4,096 bytes in front of the last frame that are not part of one
	StateErr error
	Oldest   time.Time // between these lie the times of the events; zero if there are none
	Newest   time.Time
}

// A Report is what a journal has.
type Report struct {
	Segments []SegmentReport // oldest first
	Events   uint64
	Lost     uint64 // that are missing between the oldest and the newest event
	Clean    bool   // the journal has ended in order; false while a hub has it
	Sums     []SumsReport
}

// A SumsReport is what a file of sums has; see [Journal.Rollup]. It is computed again if it is damaged.
type SumsReport struct {
	Name string
	Size int64
	Err  error // why some of it cannot be read
}

// Sound reports whether everything can be read.
func (r *Report) Sound() bool {
	for i := range r.Sums {
		if r.Sums[i].Err != nil {
			return false
		}
	}
	for i := range r.Segments {
		if s := &r.Segments[i]; s.Err != nil || s.StateErr != nil || s.Damaged > 0 {
			return false
		}
	}
	return r.Lost == 0
}

// Verify reads everything in a folder and changes nothing. A hub may be running.
func Verify(dir string) (*Report, error) { return VerifyFolder(folder.Directory(dir)) }

// VerifyFolder is [Verify] for any kind of folder.
func VerifyFolder(dir folder.Folder) (*Report, error) {
	l := &log{dir: dir, faults: planted()}
	names, err := dir.List()
	if err != nil {
		return nil, fmt.Errorf("journal: the folder cannot be read: %w", err)
	}
	slices.Sort(names)
	r := new(Report)
	for _, name := range names {
		number, ok := segmentNumber(name)
		if !ok {
			continue
		}
		err := l.find(name, number)
		if errors.Is(err, errZeros) || errors.Is(err, fs.ErrNotExist) {
			continue // nothing was committed to it; or a hub that runs has renamed it
		}
		s := SegmentReport{Name: name, Err: err}
		if err == nil {
			kept := &l.kept[len(l.kept)-1]
			s.Size, s.Began, s.First, s.Next = kept.size, time.Unix(0, kept.began), Position{kept.epoch, kept.first}, kept.first
		}
		r.Segments = append(r.Segments, s)
	}
	for _, sums := range rollup.Verify(dir) {
		r.Sums = append(r.Sums, SumsReport(sums))
	}
	at := 0
	for i := range r.Segments {
		if s := &r.Segments[i]; s.Err == nil {
			end := uint64(0)
			if at+1 < len(l.kept) {
				end = l.kept[at+1].first
			}
			s.StateErr = l.state(&l.kept[at])
			r.Clean, s.Err = l.verify(&l.kept[at], end, s)
			if errors.Is(s.Err, fs.ErrNotExist) {
				s.Err, s.StateErr, s.Lost = nil, nil, 0
			}
			r.Events, r.Lost = r.Events+s.Events, r.Lost+s.Lost
			at++
		}
	}
	return r, nil
}

// verify reads a segment, whose events end before a sequence if that is not 0.
func (l *log) verify(s *segment, end uint64, report *SegmentReport) (clean bool, err error) {
	f, err := l.dir.Open(segmentName(s.number))
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	last, all := int64(headSize), never
	_, _, _, err = s.scan(f, func(at int64, f *frame) error {
		if f.count > 0 && end > 0 && f.first >= end {
			return nil
		}
		report.Damaged += int((at - last) / frameAlign)
		report.Frames++
		report.Events += uint64(f.count)
		report.Next = f.first + uint64(f.count)
		last, clean, all = at+f.size(), f.kind == kindEnd, all.and(f.times)
		return nil
	})
	if end > 0 {
		report.Next = end
	}
	report.Lost = report.Next - s.first - report.Events
	if all.min <= all.max {
		report.Oldest, report.Newest = time.Unix(0, all.min), time.Unix(0, all.max)
	}
	return clean, err
}
