//go:build linux

// Growth measures what a hub costs as it grows: with more senders, listeners, devices, rules and cursors, and with a longer past. It
// says how each cost grows from one size to the next, and where it grows faster than it must. Use scripts/growth.sh, which builds what
// it needs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// A lab is what the measurements have in common.
type lab struct {
	hub     string // the program
	dir     string // for files; each hub has its own folder there
	quick   bool
	least   int // no size is smaller
	most    int // no size is larger; 0: as the measurement has it
	log     io.Writer
	report  report
	folders int // that were made
}

// parts are the measurements, by name.
var parts = []struct {
	name string
	run  func(context.Context, *lab) error
}{
	{"senders", senders}, {"listeners", listeners}, {"secure", secureListeners}, {"devices", devices}, {"history", history},
	{"rules", rules}, {"cursors", cursors},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ok, err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "growth:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

// run is the program. It returns false if something grows far faster than it must.
func run(ctx context.Context, args []string, out io.Writer) (ok bool, err error) {
	l := &lab{log: out}
	flags := flag.NewFlagSet("growth", flag.ContinueOnError)
	flags.StringVar(&l.hub, "hub", "sighub", "the program")
	flags.BoolVar(&l.quick, "quick", false, "small sizes")
	flags.IntVar(&l.least, "least", 0, "no size is smaller than this")
	flags.IntVar(&l.most, "most", 0, "no size is larger than this")
	json := flags.String("json", "", "a file for the results")
	page := flags.String("page", "", "a file for a page with plots of them")
	from := flags.String("from", "", "measure nothing: read this file of results")
	if err := flags.Parse(args); err != nil {
		return false, err
	}
	if *from != "" {
		err = l.report.read(*from)
	} else {
		err = l.measure(ctx, flags.Args())
	}
	if err == nil && *json != "" {
		err = l.report.write(*json)
	}
	if err == nil && *page != "" {
		err = l.report.writePage(*page)
	}
	if err != nil {
		return false, err
	}
	return l.report.print(out), nil
}

// measure makes the measurements of these names; without names, all of them.
func (l *lab) measure(ctx context.Context, names []string) (err error) {
	known := make([]string, 0, len(parts))
	for _, p := range parts {
		known = append(known, p.name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return fmt.Errorf("there is no measurement %q: write some of %s", name, strings.Join(known, ", "))
		}
	}
	if l.dir, err = os.MkdirTemp("", "growth"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(l.dir)) }()
	for _, p := range parts {
		if len(names) > 0 && !slices.Contains(names, p.name) {
			continue
		}
		if err := p.run(ctx, l); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// sizes returns the powers of ten up to a size, or up to a smaller one if it is to be quick.
func (l *lab) sizes(quick, most int) (list []int) {
	if l.quick {
		most = quick
	}
	if l.most > 0 {
		most = min(most, l.most)
	}
	for n := 1; n <= most; n *= 10 {
		if n >= l.least {
			list = append(list, n)
		}
	}
	return list
}
