package rollup

import (
	"cmp"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"maps"
	"math"
	"slices"

	"sighub/journal/folder"
)

// A writer writes a Run.
type writer struct {
	dir     folder.Folder
	f       folder.File
	run     Run
	buf     []byte
	at      int64 // of buf in the file
	entries []entry
}

const bufferSize = 64 << 10

func newWriter(dir folder.Folder, from, to uint64, epoch uint32) (*writer, error) {
	if err := dir.Remove(unfinished); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := dir.Create(unfinished)
	if err != nil {
		return nil, err
	}
	return &writer{dir: dir, f: f, run: Run{From: from, To: to, Epoch: epoch, min: math.MaxInt32, max: math.MinInt32}, at: headerSize}, nil
}

func (w *writer) flush() error {
	_, err := w.f.WriteAt(w.buf, w.at)
	w.at += int64(len(w.buf))
	w.buf = w.buf[:0]
	return err
}

// topic writes the sums of a topic. Topics come in the order of their hashes. Minutes may be nil; hours are left out if they would
// not be much less.
func (w *writer) topic(t Topic, minutes, hours Sums) error {
	sums := minutes
	if len(sums) == 0 {
		sums = hours
	}
	if len(sums) == 0 {
		return nil
	}
	e := entry{hash: hashOf(t), min: clampMinute(sums[0].Start), max: clampMinute(sums[len(sums)-1].Start)}
	if len(minutes) > 0 {
		w.run.Minutes = true
		e.minutes, e.minutesL = w.block(t, minutes, Minute)
	}
	if len(minutes) == 0 || len(hours) <= len(minutes)/4 {
		e.hours, e.hourL = w.block(t, hours, Hour)
	}
	w.run.min, w.run.max = min(w.run.min, int64(e.min)), max(w.run.max, int64(e.max))
	w.entries = append(w.entries, e)
	if len(w.buf) < bufferSize {
		return nil
	}
	return w.flush()
}

func (w *writer) block(t Topic, sums Sums, step int64) (at, length uint32) {
	start := len(w.buf)
	w.buf = append(w.buf, 0, 0, 0, 0)
	w.buf = appendText(w.buf, t.Sender)
	w.buf = appendText(w.buf, t.Event)
	w.buf = sums.append(w.buf, step)
	binary.LittleEndian.PutUint32(w.buf[start:], crc32.Checksum(w.buf[start+4:], castagnoli))
	return uint32(w.at + int64(start)), uint32(len(w.buf) - start)
}

// finish writes the index and the header, and gives the file its name when it is on disk.
func (w *writer) finish() (*Run, error) {
	w.run.index, w.run.entries = w.at+int64(len(w.buf)), len(w.entries)
	for page := range slices.Chunk(w.entries, pageLength) {
		start := len(w.buf)
		w.buf = append(w.buf, 0, 0, 0, 0)
		for i := range page {
			w.buf = page[i].append(w.buf)
		}
		w.buf = append(w.buf, make([]byte, pageSize-(len(w.buf)-start))...)
		binary.LittleEndian.PutUint32(w.buf[start:], crc32.Checksum(w.buf[start+4:], castagnoli))
		if err := w.flush(); err != nil {
			return nil, err
		}
	}
	err := w.flush()
	if err == nil {
		_, err = w.f.WriteAt(w.run.header(), 0)
	}
	if err == nil {
		err = w.f.Sync()
	}
	if err = errors.Join(err, w.f.Close()); err == nil {
		err = w.dir.Rename(unfinished, w.run.Name())
	}
	if err == nil {
		err = w.dir.Sync()
	}
	if err != nil {
		return nil, err
	}
	w.run.Size = w.at
	r := w.run
	return &r, nil
}

// abort removes the file.
func (w *writer) abort() error { return errors.Join(w.f.Close(), w.dir.Remove(unfinished)) }

// Write writes a table to a new file. epoch is that of the journal.
func Write(dir folder.Folder, t *Table, epoch uint32) (*Run, error) {
	w, err := newWriter(dir, t.From, t.To, epoch)
	if err != nil {
		return nil, err
	}
	topics := slices.SortedFunc(maps.Keys(t.series), func(a, b Topic) int { return cmp.Compare(hashOf(a), hashOf(b)) })
	for _, topic := range topics {
		sums := t.series[topic].sums
		if err := w.topic(topic, sums, sums.Wider(Hour)); err != nil {
			return nil, errors.Join(err, w.abort())
		}
	}
	r, err := w.finish()
	if err != nil {
		return nil, errors.Join(err, w.dir.Remove(unfinished))
	}
	return r, nil
}

// Fold replaces runs that follow one another by one that has no minutes. It writes the file; the former ones stay.
func Fold(dir folder.Folder, runs []*Run) (_ *Run, err error) {
	w, err := newWriter(dir, runs[0].From, runs[len(runs)-1].To, runs[len(runs)-1].Epoch)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.abort())
		}
	}()
	var in []*folding
	defer func() {
		for _, f := range in {
			err = errors.Join(err, f.o.f.Close())
		}
	}()
	for _, r := range runs {
		o, err := r.open(dir)
		if err != nil {
			return nil, err
		}
		in = append(in, &folding{o: o})
	}
	for {
		least, more := uint64(0), false
		for _, f := range in {
			if f.i < f.o.entries {
				e, err := f.o.entry(f.i)
				if err != nil {
					return nil, err
				}
				if !more || e.hash < least {
					least, more = e.hash, true
				}
			}
		}
		if !more {
			break
		}
		if err := fold(w, in, least); err != nil {
			return nil, err
		}
	}
	return w.finish()
}

// A folding is a run that is read in the order of its topics.
type folding struct {
	o *openRun
	i int // number of the next entry
}

// fold writes the hours of all topics with a hash. There is hardly ever more than one.
func fold(w *writer, in []*folding, hash uint64) error {
	topics := make(map[Topic]*Sums)
	for _, f := range in {
		for ; f.i < f.o.entries; f.i++ {
			e, err := f.o.entry(f.i)
			if err != nil {
				return err
			}
			if e.hash != hash {
				break
			}
			at, length, step := e.hours, e.hourL, Hour
			if e.hours == 0 {
				at, length, step = e.minutes, e.minutesL, Minute
			}
			topic, d, err := f.o.block(at, length)
			if err != nil {
				return err
			}
			sums := topics[topic]
			if sums == nil {
				sums = new(Sums)
				topics[topic] = sums
			}
			if err := d.sums(step, func(s *Sum) {
				s.Start = Floor(s.Start, Hour)
				sums.Add(s)
			}); err != nil {
				return err
			}
		}
	}
	for topic, sums := range topics {
		if err := w.topic(topic, nil, *sums); err != nil {
			return err
		}
	}
	return nil
}
