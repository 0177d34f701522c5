// Command bench measures sighub and brokers that could take its place, side by side: see README.md.
package main

import (
	"bytes"
	"cmp"
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

	"sighub/scripts/bench/costs"
	"sighub/scripts/bench/message"
	"sighub/scripts/bench/page"
	"sighub/scripts/bench/peers"
	"sighub/scripts/bench/results"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == sideCommand {
		if err := serveSide(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are those of the command line.
type options struct {
	quick   bool
	rounds  int
	span    time.Duration
	payload int
	json    string
	bin     string
	disk    string
	peers   []string
	profile string
	compare string
	report  string
	cases   []benchCase
	counted bool // the kernel counts system calls for us
}

func parse(args []string, errs io.Writer) (*options, error) {
	var o options
	var chosen string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(errs)
	f.BoolVar(&o.quick, "quick", false, "few and short rounds: to see that it works, not to quote")
	f.IntVar(&o.rounds, "rounds", 0, "how often everything is measured; default 7, with --quick 2")
	f.DurationVar(&o.span, "span", 0, "how long each measurement lasts; default 2s, with --quick 0.5s")
	f.IntVar(&o.payload, "payload", message.Usual, "the size of every message, in `BYTES`; what the project promises is of the usual one")
	f.StringVar(&o.json, "json", "", "the file for all figures; run.sh says out/bench.json beside it")
	f.StringVar(&o.bin, "bin", "out/bin", "the folder of the programs; run.sh builds them and says where")
	f.StringVar(&o.disk, "disk", "out/disk", "a folder on a disk, for what peers keep; run.sh says out/disk beside it")
	f.StringVar(&chosen, "peers", strings.Join(peers.Names(), ","), "the peers to measure")
	f.StringVar(&o.profile, "profile", "", "a folder for CPU profiles of the hub, which is then measured alone and once")
	f.StringVar(&o.report, "report", "", "a folder for a page of the figures in the file of --json, which are not measured again")
	f.StringVar(&o.compare, "compare", "", "a folder of reports of two commits, to be compared; compare.sh makes them")
	f.Usage = func() {
		fmt.Fprintln(errs, "usage: run.sh [FLAG...] [CASE...]")
		f.PrintDefaults()
		fmt.Fprintln(errs, "cases; default: all of them")
		for _, c := range allCases() {
			fmt.Fprintf(errs, "  %-14s %s\n", c.name, c.about)
		}
	}
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if err := message.SetSize(o.payload); err != nil {
		return nil, err
	}
	rounds, span := 7, 2*time.Second
	if o.quick {
		rounds, span = 2, time.Second/2
	}
	if o.profile != "" {
		rounds, span, chosen, o.json = 1, 5*time.Second, peers.Hub+","+peers.Journal, "" // such figures are not to be kept
	}
	o.rounds = cmp.Or(max(o.rounds, 0), rounds)
	o.span = cmp.Or(max(o.span, 0), span)
	o.peers = strings.Split(chosen, ",")
	for _, name := range o.peers {
		if _, err := peers.New(name); err != nil {
			return nil, err
		}
	}
	for _, name := range f.Args() {
		i := slices.IndexFunc(allCases(), func(c benchCase) bool { return c.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no case is called %q: see --help", name)
		}
		o.cases = append(o.cases, allCases()[i])
	}
	if len(o.cases) == 0 {
		o.cases = allCases()
	}
	return &o, nil
}

func run(ctx context.Context, args []string, out, errs io.Writer) error {
	o, err := parse(args, errs)
	if err != nil {
		return err
	}
	if o.compare != "" {
		return results.Compare(o.compare, out)
	}
	if o.report != "" {
		r, err := results.Read(o.json)
		if err != nil {
			return fmt.Errorf("there are no figures yet, which run.sh without --report measures: %w", err)
		}
		return writePage(r, filepath.Join(o.report, "bench.html"), out)
	}
	if err := allowFiles(); err != nil {
		return err
	}
	if err := checkDisk(o.disk); err != nil {
		return err
	}
	r := results.Report{Time: time.Now().UTC().Format(time.RFC3339), Machine: machine(), Settings: settings(o)}
	if r.Versions, err = versions(ctx, o.bin); err != nil {
		return err
	}
	if r.Settings["disk"], err = describeDisk(o.disk); err != nil {
		return err
	}
	if err := costs.Available(); err != nil {
		r.Settings["counts"] = "system calls and switches are not counted: " + err.Error()
	} else {
		o.counted, r.Settings["counts"] = true, "system calls and switches are counted by the kernel, in a burst of their own"
	}
	var all results.Results
	for _, c := range o.cases {
		for round := range o.rounds {
			o.measure(ctx, c, round, &all, errs)
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	all.Complete()
	r.Rows, r.Failures = all.Rows, all.Failures
	if message.Size == message.Usual {
		r.Promises = results.Judge(&all)
	}
	r.Print(out)
	if o.json != "" {
		if err := r.Write(o.json); err != nil {
			return err
		}
		if err := writePage(&r, strings.TrimSuffix(o.json, ".json")+".html", out); err != nil {
			return err
		}
	}
	if len(all.Failures) > 0 {
		return fmt.Errorf("%d measurements failed", len(all.Failures))
	}
	return nil
}

// writePage writes the page of a report, and says where it is.
func writePage(r *results.Report, file string, out io.Writer) error {
	var b bytes.Buffer
	err := page.Write(&b, r, func(name string) string {
		i := slices.IndexFunc(allCases(), func(c benchCase) bool { return c.name == name })
		if i < 0 {
			return "" // it was a case when that was measured
		}
		return allCases()[i].about
	})
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o755)
	}
	if err == nil {
		err = os.WriteFile(file, b.Bytes(), 0o644)
	}
	if err == nil {
		fmt.Fprintf(out, "\nThe page is %s\n", file)
	}
	return err
}

// measure measures a case once with each of its peers. The first peer changes from round to round, so that no peer is always
// measured after the same one.
func (o *options) measure(ctx context.Context, c benchCase, round int, all *results.Results, errs io.Writer) {
	var names []string
	for _, name := range c.peers {
		if slices.Contains(o.peers, name) {
			names = append(names, name)
		}
	}
	for i := range names {
		if ctx.Err() != nil {
			return
		}
		name := names[(i+round)%len(names)]
		fmt.Fprintf(errs, "%s, round %d of %d, %s ... ", c.name, round+1, o.rounds, name)
		start := time.Now()
		figures, err := o.once(ctx, c, name)
		if err != nil {
			all.Failed(c.name, name, err)
			fmt.Fprintln(errs, "FAILED:", err)
			continue
		}
		for _, f := range figures {
			all.Add(c.name, name, round, f.Name, f.Value)
		}
		fmt.Fprintf(errs, "%s %s, after %s\n", results.Short(figures[0].Value), figures[0].Name, time.Since(start).Round(100*time.Millisecond))
	}
}

// measurePatience is how long one measurement may take, in addition to the time that depends on its span.
const measurePatience = 2 * time.Minute

func (o *options) once(ctx context.Context, c benchCase, name string) ([]figure, error) {
	p, err := peers.New(name)
	if err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	disk, err := os.MkdirTemp(o.disk, "bench")
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(tmp))
	}
	syscall.Sync() // what was written before is not to be written meanwhile
	e := &env{
		Place: peers.Place{Bin: o.bin, Tmp: tmp, Disk: disk, Profile: filepath.Join(tmp, "pprof.sock")},
		peer:  name, span: o.span, warm: o.span / 4, counted: o.counted,
	}
	if o.profile != "" {
		if err := os.MkdirAll(o.profile, 0o755); err != nil {
			return nil, err
		}
		e.profile = filepath.Join(o.profile, c.name+"."+name+".cpu.pprof")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, measurePatience+40*o.span, errors.New("it takes too long"))
	defer cancel()
	figures, err := c.run(ctx, e, p)
	if err == nil && len(figures) == 0 {
		err = errors.New("it yields no figure")
	}
	return figures, errors.Join(err, os.RemoveAll(tmp), os.RemoveAll(disk))
}
