package journal

import (
	"context"
	"errors"

	"sighub/journal/internal/rollup"
)

// tendSoon wakes the goroutine that tends the folder.
func (j *Journal) tendSoon() {
	select {
	case j.tends <- struct{}{}:
	default:
	}
}

// tend does what commits should not have to wait for, until j.stopped is closed: it makes the next spare file, and writes sums.
func (j *Journal) tend() {
	for {
		select {
		case <-j.stopped:
			return
		case <-j.tends:
		}
		if j.wantsSpare.Swap(false) {
			if err := j.log.prepareNext(); err != nil {
				j.o.Logger.Warn("there is no room for the next segment of the journal: the oldest events will go", "error", err)
			}
		}
		if err := j.tendSums(); err != nil && !errors.Is(err, errStopped) {
			j.o.Logger.Warn("sums of the journal cannot be written", "error", err)
		}
	}
}

var errStopped = errors.New("journal: it is being closed")

func (j *Journal) tendSums() error {
	for _, name := range j.useless {
		if err := j.dir.Remove(name); err != nil {
			return err
		}
	}
	j.useless = nil
	if err := j.writeFrozen(); err != nil {
		return err
	}
	j.memMu.RLock()
	gaps := j.gaps()
	j.memMu.RUnlock()
	for _, h := range gaps {
		if err := j.rebuild(h); err != nil {
			return err
		}
	}
	return j.boundSums()
}

// writeFrozen writes the table to which nothing is added any more.
func (j *Journal) writeFrozen() error {
	j.memMu.RLock()
	t := j.mem.frozen
	j.memMu.RUnlock()
	if t == nil {
		return nil
	}
	r, err := rollup.Write(j.dir, t, j.view.Load().epoch)
	if err != nil {
		return err
	}
	j.memMu.Lock()
	defer j.memMu.Unlock()
	if j.mem.frozen == t {
		j.mem.frozen = nil
	}
	j.mem.runs = j.mem.runs.With(r)
	return nil
}

// rebuild sums up events again.
func (j *Journal) rebuild(h hole) error {
	t := rollup.NewTable(h.from)
	write := func(to uint64) error {
		t.To = to
		r, err := rollup.Write(j.dir, t, j.view.Load().epoch)
		if err != nil {
			return err
		}
		j.setRuns(func(rs rollup.Runs) rollup.Runs { return rs.With(r) })
		t = rollup.NewTable(to)
		return nil
	}
	err := j.sumUp(context.Background(), h, nil, func(e *Entry, n float64) error {
		select {
		case <-j.stopped:
			return errStopped
		default:
		}
		if t.Bytes() > j.mem.bound.sums && e.Sequence > t.From {
			if err := write(e.Sequence); err != nil {
				return err
			}
		}
		t.Series(rollup.Topic(e.Topic)).Add(e.Time, n)
		return nil
	})
	if err != nil {
		return err
	}
	return write(h.to)
}

// boundSums keeps the files of sums at their part of [Options].Size: minutes become hours, and then the oldest hours go.
func (j *Journal) boundSums() error {
	for {
		j.memMu.RLock()
		runs := j.mem.runs
		j.memMu.RUnlock()
		if runs.Bytes() <= j.o.Size/sumsPart {
			return nil
		}
		gone := runs.Foldable()
		if len(gone) == 0 {
			gone = runs[:1]
			j.setRuns(func(rs rollup.Runs) rollup.Runs { return rs.Without(gone...) })
		} else {
			r, err := rollup.Fold(j.dir, gone)
			if err != nil {
				return errors.Join(err, j.dropDamaged(gone))
			}
			j.setRuns(func(rs rollup.Runs) rollup.Runs { return rs.Without(gone...).With(r) })
		}
		for _, r := range gone {
			if err := r.Remove(j.dir); err != nil {
				return err
			}
		}
	}
}

// dropDamaged forgets the runs that cannot be read: they are computed again, as far as their events are there.
func (j *Journal) dropDamaged(runs rollup.Runs) error {
	for _, r := range runs {
		if err := r.Check(j.dir); err != nil {
			j.setRuns(func(rs rollup.Runs) rollup.Runs { return rs.Without(r) })
			if err := r.Remove(j.dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// sumsPart is which part of a journal's size its sums may take.
const sumsPart = 8
