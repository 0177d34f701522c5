//go:build linux

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// noise is what other programs do on the same file system: it writes files, hardly ever flushes them, renames and deletes them. So
// the disk's cache always has something to lose, and the file system something to repair.
func noise(ctx context.Context, dir string, rng *rand.Rand) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var f *os.File
	defer func() {
		if f != nil {
			_ = f.Close()
		}
	}()
	for i := 0; ctx.Err() == nil; i++ {
		name := filepath.Join(dir, fmt.Sprint(rng.IntN(8)))
		var err error
		switch action := rng.IntN(20); {
		case f == nil || action == 0:
			if f != nil {
				_ = f.Close()
			}
			f, err = os.OpenFile(name, os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
		case action == 1:
			err = os.Rename(f.Name(), name)
			if err == nil {
				_ = f.Close()
				f, err = os.OpenFile(name, os.O_RDWR, 0)
			}
		case action == 2:
			err = f.Sync()
		default:
			if _, err = f.WriteAt(make([]byte, rng.IntN(6000)), rng.Int64N(64<<10)); err == nil {
				err = unix.SyncFileRange(int(f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE) // to the disk, without having its cache flushed
			}
		}
		if err != nil {
			return fmt.Errorf("beside the journal: %w", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(rng.IntN(2000)) * time.Microsecond):
		}
	}
	return nil
}
