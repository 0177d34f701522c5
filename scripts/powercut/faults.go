//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// plantedEnv selects a fault in a program that is built with the tag plantedfaults: see the package journal.
const plantedEnv = "SIGHUB_PLANTED_FAULT"

// A plant is a fault that is planted to see that the laboratory finds it.
type plant struct {
	name string // in the environment
	what string
}

func plants() []plant {
	return []plant{
		{"no-sync", "acknowledged before it is on disk"},
		{"no-folder-sync", "a segment's name is not on disk"},
		{"no-segment-number", "no segment number in the checksum"},
		{"cursor-first", "a cursor before its data"},
	}
}

// enoughForFault is how many cuts a fault may survive.
const enoughForFault = 2000

// faults plants each fault and cuts until it is found.
func (o *options) faults(ctx context.Context, b *bench, out io.Writer) error {
	if !faultsCanBePlanted {
		return errors.New("this program is not built with the tag plantedfaults")
	}
	fmt.Fprintf(out, "%-36s %-12s %8s  %s\n", "planted fault", "found after", "time", "as")
	survived := 0
	for _, p := range plants() {
		if err := os.Setenv(plantedEnv, p.name); err != nil {
			return err
		}
		start := time.Now()
		c, err := b.series(ctx, bareWork{small: true}, enoughForFault, 100, true)
		if err := errors.Join(err, os.Unsetenv(plantedEnv)); err != nil {
			return err
		}
		found, as := "NOT FOUND", fmt.Sprintf("in %s cuts", grouped(c.cuts))
		if len(c.bad) > 0 {
			found, as = grouped(c.firstBad)+" cuts", lastOf(c.bad[0])
		} else {
			survived++
		}
		fmt.Fprintf(out, "%-36s %-12s %8s  %s\n", p.what, found, round(time.Since(start)), as)
	}
	if survived > 0 {
		return fmt.Errorf("%d planted faults were not found", survived)
	}
	fmt.Fprintf(out, "all %d planted faults were found\n", len(plants()))
	return nil
}

// lastOf returns the innermost part of an error's text.
func lastOf(err error) string {
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return err.Error()
}
