//go:build linux

// Journalreport measures what a hub's journal costs and gives: what it writes to a disk, by the counters of the disk itself, what
// slow acknowledgements cost a microcontroller, and how long a sender, a question about the past and a start take. It prints a
// table, with what is promised. See scripts/journal-report.sh.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case err == nil:
	case errors.Is(err, flag.ErrHelp):
	default:
		fmt.Fprintln(os.Stderr, "journalreport:", err)
		os.Exit(1)
	}
}

// A bench has what measurements need.
type bench struct {
	hub      string // program
	arm64    string // the same for another processor
	chip     string // simulator of a microcontroller
	firmware string // its program
	folder   string // on a disk, for the image of the disk that is measured
	quick    bool
	log      io.Writer // what goes on
}

// span returns one of two times.
func (b *bench) span(quick, full time.Duration) time.Duration {
	if b.quick {
		return quick
	}
	return full
}

// A part is one or more measurements that belong together.
type part struct {
	name string
	run  func(ctx context.Context, b *bench, t *table) error
}

func parts() []part {
	return []part{
		{"size", measureSize},
		{"devices", wearOfDevices},
		{"readings", wearOfReadings},
		{"chip", measureChip},
		{"send", measureSend},
		{"year", measureYear},
	}
}

func run(ctx context.Context, args []string, out, errs io.Writer) error {
	b := &bench{log: errs}
	f := flag.NewFlagSet("journalreport", flag.ContinueOnError)
	f.SetOutput(errs)
	f.StringVar(&b.hub, "hub", "sighub", "the program")
	f.StringVar(&b.arm64, "arm64", "", "the program for arm64, stripped")
	f.StringVar(&b.chip, "chip", "", "the simulator of a microcontroller")
	f.StringVar(&b.firmware, "firmware", "", "the microcontroller's program")
	f.StringVar(&b.folder, "folder", "", "a folder on a disk; default: a temporary one")
	f.BoolVar(&b.quick, "quick", false, "short measurements")
	if err := f.Parse(args); err != nil {
		return err
	}
	wanted := f.Args()
	for _, name := range wanted {
		if !slices.ContainsFunc(parts(), func(p part) bool { return p.name == name }) {
			return fmt.Errorf("there is no part %q: there are %s", name, partNames())
		}
	}
	if b.folder == "" {
		dir, err := os.MkdirTemp("", "journalreport")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }() // what is left is in a temporary folder
		b.folder = dir
	}
	if err := checkDisk(b.folder); err != nil {
		return err
	}
	t := newTable(out)
	for _, p := range parts() {
		if len(wanted) > 0 && !slices.Contains(wanted, p.name) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		fmt.Fprintf(errs, "%s ...\n", p.name)
		if err := p.run(ctx, b, t); err != nil {
			t.failed(p.name, err)
		}
	}
	return t.verdict()
}

func partNames() string {
	var names []string
	for _, p := range parts() {
		names = append(names, p.name)
	}
	return strings.Join(names, ", ")
}

// temp makes a folder for one part.
func (b *bench) temp() (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp(b.folder, "part")
	return dir, func() { _ = os.RemoveAll(dir) }, err // what is left is in a temporary folder
}

// measureSize reads the size of the program for a small computer.
func measureSize(_ context.Context, b *bench, t *table) error {
	if b.arm64 == "" {
		return errors.New("--arm64 says where the program is")
	}
	info, err := os.Stat(b.arm64)
	if err != nil {
		return err
	}
	t.row("the program for arm64, stripped", float64(info.Size())/1e6, "MB", 15)
	return nil
}

// sock returns a short path for a socket: the system bounds them.
func sock() (path string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "jr")
	return filepath.Join(dir, "hub.sock"), func() { _ = os.RemoveAll(dir) }, err // likewise
}
