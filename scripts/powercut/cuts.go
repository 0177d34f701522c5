//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"sighub/scripts/powercut/disk"
)

// A kind of work is what is done on a disk until its power is cut, and what must be true afterwards.
type work interface {
	// name says what it is.
	name() string
	// diskSize is that of the disk, in bytes.
	diskSize() int64
	// run works in a folder for a while, and notes in the log of the disk what it was told. It returns when nothing uses the folder
	// any more. l is what was known before.
	run(ctx context.Context, d *disk.Disk, dir string, l *ledger, rng *rand.Rand) error
	// check looks at a folder after a cut.
	check(ctx context.Context, dir string, l *ledger, rng *rand.Rand) error
}

// Cuts are the results of a series.
type cuts struct {
	name     string
	cuts     int
	bad      []error
	firstBad int // the number of the first bad cut
	loose    int // writes that were not flushed
	dropped  int
	torn     int
	acked    int // signals that had been acknowledged when the power was cut, all cuts together
	runs     int
	took     time.Duration
}

// A bench has the place where disks are made.
type bench struct {
	dir     string // on the machine's memory, if possible
	out     io.Writer
	verbose bool
	seed    uint64
}

// series makes n cuts: in each round the hub works on a disk, whose power is cut at many places of its log afterwards. One of the
// disks that are left is what the next round goes on with.
func (b *bench) series(ctx context.Context, w work, n, perRound int, untilBad bool) (*cuts, error) {
	c := &cuts{name: w.name()}
	start := time.Now()
	image, err := newFilesystem(b.dir, w.diskSize())
	if err != nil {
		return nil, err
	}
	known := newLedger()
	for round := uint64(0); c.cuts < n; round++ {
		rng := rand.New(rand.NewPCG(b.seed, round))
		c.runs++
		r, err := b.record(ctx, w, image, known, rng)
		if err != nil {
			err = fmt.Errorf("%s, run %d (--seed %d): %w", w.name(), c.runs, b.seed, err)
			if _, wrong := errors.AsType[violation](err); !wrong {
				return nil, err
			}
			b.wrong(c, err) // there is nothing to go on with
			break
		}
		image, known, err = b.cutAll(ctx, w, r, known, rng, min(perRound, n-c.cuts), untilBad, c)
		if err != nil {
			return nil, err
		}
		if len(c.bad) > 0 && untilBad {
			break
		}
	}
	c.took = time.Since(start)
	return c, nil
}

// record has work done on a disk, cuts its power, and returns its log.
func (b *bench) record(ctx context.Context, w work, image *disk.Image, known *ledger, rng *rand.Rand) (_ *disk.Recording, err error) {
	dir, err := os.MkdirTemp(b.dir, "run")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	d := disk.New(image)
	m, err := mountDisk(d, dir, filepath.Join(dir, "mnt"))
	if err != nil {
		return nil, err
	}
	beside, end := context.WithCancel(ctx)
	var others sync.WaitGroup
	var loud error
	others.Go(func() { loud = noise(beside, filepath.Join(m.dir, "others"), rand.New(rand.NewPCG(rng.Uint64(), 1))) })
	err = w.run(ctx, d, filepath.Join(m.dir, "journal"), known, rng)
	d.Freeze()
	d.Release()
	end()
	others.Wait()
	if err := errors.Join(err, loud, m.remove()); err != nil {
		return nil, err
	}
	return d.Recording(), nil
}

// cutAll cuts the power at n places, and returns one of the disks that are left, with what was known at that moment.
func (b *bench) cutAll(ctx context.Context, w work, r *disk.Recording, known *ledger, rng *rand.Rand, n int, untilBad bool, c *cuts) (*disk.Image, *ledger, error) {
	file := filepath.Join(b.dir, "cut")
	next := rng.IntN(n)
	var nextImage *disk.Image
	var nextKnown *ledger
	for i, place := range r.Places(rng, 0, n) {
		l := known.clone()
		image, cut := r.Cut(rng, place, l.take)
		if err := image.Save(file); err != nil {
			return nil, nil, err
		}
		c.cuts++
		c.loose, c.dropped, c.torn, c.acked = c.loose+cut.Loose, c.dropped+cut.Dropped, c.torn+cut.Torn, c.acked+l.total()
		if i == next {
			nextImage, nextKnown = image, l.clone()
		}
		if err := b.checkImage(ctx, w, file, l, rng); err != nil {
			if ctx.Err() != nil {
				return nil, nil, context.Cause(ctx)
			}
			b.wrong(c, fmt.Errorf("%s, cut %d (--seed %d), place %d of %d, %d of %d loose writes dropped and %d torn: %w",
				w.name(), c.cuts, b.seed, place, r.Len(), cut.Dropped, cut.Loose, cut.Torn, err))
			if untilBad {
				break
			}
		}
	}
	return nextImage, nextKnown, nil
}

// wrong notes what must not be.
func (b *bench) wrong(c *cuts, err error) {
	if len(c.bad) == 0 {
		c.firstBad = c.cuts
	}
	c.bad = append(c.bad, err)
	if b.verbose {
		fmt.Fprintln(b.out, err)
	}
}

// checkImage mounts what is left of a disk, and checks it.
func (b *bench) checkImage(ctx context.Context, w work, file string, l *ledger, rng *rand.Rand) error {
	m, err := mountFile(file, filepath.Join(b.dir, "mnt"))
	if err != nil {
		return err
	}
	dir := filepath.Join(m.dir, "journal")
	err = w.check(ctx, dir, l, rng)
	return errors.Join(err, m.unmount())
}

// memoryFolder returns a folder in memory, or an ordinary one.
func memoryFolder() (string, error) {
	const memory, tmpfs = "/dev/shm", 0x01021994
	var s syscall.Statfs_t
	if syscall.Statfs(memory, &s) == nil && s.Type == tmpfs {
		return os.MkdirTemp(memory, "powercut")
	}
	return os.MkdirTemp("", "powercut")
}
