//go:build linux

package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"sighub/scripts/powercut/disk"
)

// bareWork is work of the journal alone.
type bareWork struct{ small bool }

func (w bareWork) name() string {
	if w.small {
		return "journal, its segments reused"
	}
	return "journal, its segments new"
}

func (w bareWork) diskSize() int64 { return 512 << 20 }

func (w bareWork) run(ctx context.Context, d *disk.Disk, dir string, _ *ledger, rng *rand.Rand) error {
	return runBare(ctx, d, dir, bareOptions(w.small), rng, 150+rng.IntN(100))
}

func (w bareWork) check(ctx context.Context, dir string, l *ledger, rng *rand.Rand) error {
	o := bareOptions(w.small)
	after := "after the cut"
	if rng.IntN(4) == 0 { // it must also go on
		after = "after the cut and 20 commits more"
		idle := disk.New(new(disk.Image))
		if err := runBare(ctx, idle, dir, o, rng, 20); err != nil {
			return fmt.Errorf("after the cut, the journal does not go on: %w", err)
		}
		idle.Freeze()
		idle.Recording().All(l.take)
	}
	f, err := look(dir, o)
	if err == nil {
		err = l.compare(f)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", after, err)
	}
	return nil
}
