package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"sighub/carrier"
	"sighub/hub"
	"sighub/internal/arguments"
	"sighub/internal/plain"
	"sighub/internal/terminal"
	"sighub/journal"
)

// journalFlags say which journal is meant.
type journalFlags struct {
	hubFlags
	Dir string `placeholder:"DIR" help:"The folder of the journal, whether a hub runs or not. Default: the one of the hub that is reached, else the usual one of this user."`
}

// folder returns the folder that is meant. It must be on this machine.
func (f *journalFlags) folder(ctx context.Context, s *streams) (string, error) {
	if f.Dir != "" {
		return f.Dir, checkFolder(f.Dir, "")
	}
	var info journalInfo
	err := f.with(ctx, &streams{out: s.out, err: io.Discard}, "sighub journal", func(ctx context.Context, r *hub.ClientRouter) (err error) {
		info, err = askJournal(ctx, r)
		return err
	})
	var unreached unreachableError
	switch {
	case errors.As(err, &unreached):
		usual, err := usualState()
		if err != nil {
			return "", err
		}
		dir := filepath.Join(usual, "journal")
		return dir, checkFolder(dir, fmt.Sprintf("the hub at %s is not reached, and this is where its journal would usually be: name its folder with --dir", f.Hub))
	case err != nil:
		return "", err
	case info.Folder == "":
		return "", withRemedy(hub.ErrNoJournal)
	}
	return info.Folder, checkFolder(info.Folder, "the hub has it there: run this on the machine of the hub, as a user who may read it, or name a folder with --dir")
}

func checkFolder(dir, hint string) error {
	list, err := os.ReadDir(dir)
	if err == nil {
		for _, entry := range list {
			if filepath.Ext(entry.Name()) == ".journal" {
				return nil
			}
		}
		err = errors.New("there is no journal in this folder")
	} else {
		err = plainPathError(err)
	}
	if hint != "" {
		return fmt.Errorf("%s: %w: %s", dir, err, hint)
	}
	return fmt.Errorf("%s: %w", dir, err)
}

// askJournal asks a hub what it keeps.
func askJournal(ctx context.Context, r *hub.ClientRouter) (info journalInfo, err error) {
	v, err := r.Call(ctx, methodJournal, nil)
	if err == nil {
		err = v.Decode(&info)
	}
	return info, err
}

// journalTrouble is what keeps a hub from keeping what it acknowledges. The zero value means that nothing does.
type journalTrouble struct {
	now  journalInfo
	told string // what of it the user knows
}

// tellTrouble tells the user of trouble. Without trouble it prints nothing.
func tellTrouble(ctx context.Context, s *streams, r *hub.ClientRouter) {
	var t journalTrouble
	t.ask(ctx, r)
	t.tell(s)
}

// ask asks the hub, and returns what is wrong in words. A hub that does not know of journals keeps nothing, and nothing is wrong.
func (t *journalTrouble) ask(ctx context.Context, r *hub.ClientRouter) string {
	info, err := askJournal(ctx, r)
	if err != nil {
		return ""
	}
	t.now = info
	return info.trouble(time.Now())
}

// tell tells the user what has changed.
func (t *journalTrouble) tell(s *streams) {
	switch {
	case t.now.Error == t.told:
	case t.now.Error == "":
		s.note("the hub can write its journal again")
	default:
		s.note("%s", t.now.trouble(time.Now()))
	}
	t.told = t.now.Error
}

// trouble says what is wrong, and what that means; it is empty if nothing is.
func (i *journalInfo) trouble(now time.Time) string {
	if i.Error == "" {
		return ""
	}
	meaning := "nothing is kept, and what the hub acknowledges was handed on"
	since := ""
	if i.Since != nil {
		failing := now.Sub(*i.Since)
		since = " for " + age(failing)
		switch {
		case i.OnFailure == "hold":
			meaning = "the hub acknowledges nothing until it can"
		case failing < 10*time.Second:
			meaning = "the hub acknowledges nothing yet"
		}
	}
	return fmt.Sprintf("the hub cannot write its journal%s: %s: %s", since, i.Error, meaning)
}

type journalInfoCommand struct {
	journalFlags
	Output string `short:"o" enum:"text,json" default:"text" help:"text, or json."`
	UTC    bool   `name:"utc" help:"Print times in UTC. JSON always has them so."`
}

// Help is what --help says in full.
func (*journalInfoCommand) Help() string {
	return `With --dir it reads a folder, also one of a hub that does not run.

Examples:

    sighub journal info
    sighub journal info --dir /var/lib/sighub/journal`
}

// Run prints what a journal has.
func (c *journalInfoCommand) Run(ctx context.Context, s *streams) error {
	if c.Dir != "" {
		if err := checkFolder(c.Dir, ""); err != nil {
			return err
		}
		j, err := journal.OpenReadOnly(c.Dir, journal.Options{})
		if err != nil {
			return err
		}
		k := keeper{Journal: j, folder: c.Dir}
		return errors.Join(c.print(s, k.facts()), j.Close())
	}
	return c.with(ctx, s, "sighub journal", func(ctx context.Context, r *hub.ClientRouter) error {
		info, err := askJournal(ctx, r)
		if err != nil {
			return err
		}
		return c.print(s, info)
	})
}

func (c *journalInfoCommand) print(s *streams, i journalInfo) error {
	if c.Output == "json" {
		return terminal.JSON(s.out, []journalInfo{i})
	}
	if i.Folder == "" && i.Error == "" {
		return terminal.Line(s.out, "the hub keeps no journal: what it acknowledges was handed on")
	}
	p := terminal.NewPrinter(s.out, "text")
	p.UTC, p.Date = c.UTC, true
	rows := [][2]string{{"folder", i.Folder}}
	add := func(key, format string, args ...any) {
		rows = append(rows, [2]string{key, fmt.Sprintf(format, args...)})
	}
	size := terminal.Size(i.Bytes)
	if i.Size > 0 {
		size += " of " + terminal.Size(i.Size)
	}
	add("size", "%s", size)
	if i.Keeps != "" {
		add("keeps", "events: %s; age: %s", i.Keeps, i.MaxAge)
		add("acknowledges", "%s; if the disk fails: %s", i.Ack, i.OnFailure)
	}
	if i.First != nil && i.Next != nil {
		last := hub.Position{Epoch: i.Next.Epoch, Sequence: i.Next.Sequence - 1}
		add("positions", "%s to %s, that is %s", position(*i.First), position(last), several(i.Next.Sequence-i.First.Sequence, "event"))
	} else {
		add("positions", "none")
	}
	if i.Oldest != nil && i.Newest != nil {
		add("times", "%s to %s", p.Clock(*i.Oldest), p.Clock(*i.Newest))
	}
	add("cursors", "%d", i.Cursors)
	if i.Lost > 0 {
		add("lost", "%s that could not be written since the hub was started", several(i.Lost, "event"))
	}
	if i.Error != "" {
		add("trouble", "%s", i.trouble(time.Now()))
	}
	for _, row := range rows {
		if err := terminal.Line(s.out, "%-13s %s", row[0], row[1]); err != nil {
			return err
		}
	}
	return nil
}

type journalVerifyCommand struct {
	journalFlags
	Output string `short:"o" enum:"text,json" default:"text" help:"text, or json: one object a file."`
	UTC    bool   `name:"utc" help:"Print times in UTC. JSON always has them so."`
}

// Help is what --help says in full.
func (*journalVerifyCommand) Help() string {
	return `It changes nothing, and may run beside the hub. It exits with 1 if something cannot be read.

Examples:

    sighub journal verify
    sighub journal verify --dir /media/backup/journal`
}

// errDamaged is the error of a journal of which not everything can be read.
var errDamaged = errors.New("the journal is damaged")

// Run reads everything.
func (c *journalVerifyCommand) Run(ctx context.Context, s *streams) error {
	dir, err := c.folder(ctx, s)
	if err != nil {
		return err
	}
	report, err := journal.Verify(dir)
	if err != nil {
		return err
	}
	if c.Output == "json" {
		err = c.printJSON(s, report)
	} else {
		err = c.printText(s, report)
	}
	if err != nil || report.Sound() {
		return err
	}
	return fmt.Errorf("%w: %s of %s cannot be read; everything else can, and a hub goes on with it", errDamaged, several(report.Lost, "event"), dir)
}

func (c *journalVerifyCommand) printText(s *streams, report *journal.Report) error {
	p := terminal.NewPrinter(s.out, "text")
	p.UTC, p.Date = c.UTC, true
	var rows [][]string
	for i := range report.Segments {
		f := &report.Segments[i]
		oldest, newest := "-", "-"
		if !f.Oldest.IsZero() {
			oldest, newest = p.Clock(f.Oldest), p.Clock(f.Newest)
		}
		rows = append(rows, []string{f.Name, terminal.Size(f.Size), position(hub.Position(f.First)), strconv.FormatUint(f.Events, 10), oldest, newest, state(f)})
	}
	if err := terminal.Table(s.out, "FILE\tSIZE\tFIRST\tEVENTS\tOLDEST\tNEWEST\tSTATE", rows); err != nil {
		return err
	}
	end := "it has not ended in order, or a hub has it now"
	if report.Clean {
		end = "it has ended in order"
	}
	return terminal.Line(s.out, "%s, %d lost; %s", several(report.Events, "event"), report.Lost, end)
}

// state says in words how much of a file can be read.
func state(f *journal.SegmentReport) string {
	switch {
	case f.Err != nil:
		return "cannot be read: " + plain.Text(f.Err.Error())
	case f.Lost > 0:
		return fmt.Sprintf("%s lost, at %s of 4 KiB", several(f.Lost, "event"), several(uint64(f.Damaged), "damaged place"))
	case f.Damaged > 0:
		return fmt.Sprintf("no event lost, at %s of 4 KiB", several(uint64(f.Damaged), "damaged place"))
	case f.StateErr != nil:
		return "what it says of earlier files cannot be read: " + plain.Text(f.StateErr.Error())
	}
	return "ok"
}

func (c *journalVerifyCommand) printJSON(s *streams, report *journal.Report) error {
	for i := range report.Segments {
		f := &report.Segments[i]
		o := carrier.Object{
			{Key: "file", Value: f.Name}, {Key: "size", Value: f.Size}, {Key: "first", Value: hub.Position(f.First)}, {Key: "events", Value: f.Events},
			{Key: "lost", Value: f.Lost}, {Key: "damaged", Value: f.Damaged}, {Key: "state", Value: state(f)},
		}
		if !f.Oldest.IsZero() {
			o = append(o, carrier.Field{Key: "oldest", Value: f.Oldest.UTC()}, carrier.Field{Key: "newest", Value: f.Newest.UTC()})
		}
		line, err := carrier.JSON.AppendObject(nil, o)
		if err != nil {
			return err
		}
		if err := terminal.JSONLine(s.out, line); err != nil {
			return err
		}
	}
	return nil
}

// several returns a number with its noun.
func several(n uint64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

type journalExportCommand struct {
	journalFlags
	Sender string `arg:"" optional:"" help:"Only events of this sender; * stands for any text, and ? for any letter."`
	Event  string `arg:"" optional:"" help:"Only this event, with * and ? as well."`
	From   string `default:"start" placeholder:"WHEN" help:"Where to begin: start (the default), how long ago (2h, 7d), a time, or behind a position (3/4711)."`
	To     string `placeholder:"WHEN" help:"Where to end: how long ago, or a time."`
	Output string `short:"o" enum:"json,csv" default:"json" help:"json: one object a line, {time, sender, event, data, position}; or csv."`
}

// Help is what --help says in full.
func (*journalExportCommand) Help() string {
	return `It reads the folder, and changes nothing. It may run beside the hub, and then prints what is on disk by now. Events that are not
there any more are told on standard error, and in JSON as {"position", "lost"}.

Examples:

    sighub journal export >all.json
    sighub journal export 'kitchen.*' temp --from 7d --output csv
    sighub journal export --dir /media/backup/journal --from 3/4711`
}

// Run prints the events of a journal.
func (c *journalExportCommand) Run(ctx context.Context, s *streams) error {
	now := time.Now()
	from, err := arguments.ParseMoment(c.From, now)
	if err != nil {
		return usageError{fmt.Errorf("--from %w", err)}
	}
	to, err := arguments.ParseMoment(c.To, now)
	if err != nil || c.To != "" && to.Time.IsZero() {
		return usageError{fmt.Errorf("--to %s: write how long ago, such as 2h, or a time", c.To)}
	}
	wanted, err := arguments.NewSelection([]string{cmp.Or(c.Sender, "*") + ":" + cmp.Or(c.Event, "*")}, nil)
	if err != nil {
		return usageError{err}
	}
	q := journal.Query{
		Until: to.Time, Bounded: true,
		Filter: func(t journal.Topic) bool { return wanted.Takes(t.Sender, t.Event, false) },
	}
	switch {
	case from.IsPosition():
		q.Start = journal.After(journal.Position{Epoch: from.Epoch, Sequence: from.Sequence})
	case !from.Time.IsZero():
		q.Start = journal.Since(from.Time)
	}
	dir, err := c.folder(ctx, s)
	if err != nil {
		return err
	}
	j, err := journal.OpenReadOnly(dir, journal.Options{})
	if err != nil {
		return err
	}
	reader := j.Read(q)
	err = c.export(ctx, s, reader)
	return errors.Join(err, reader.Close(), j.Close())
}

func (c *journalExportCommand) export(ctx context.Context, s *streams, reader *journal.Reader) error {
	printer := terminal.NewPrinter(s.out, c.Output)
	var batch [64]journal.Entry
	for {
		n, err := reader.Next(ctx, batch[:])
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return becauseOf(ctx, err)
		}
		for i := range batch[:n] {
			if err := c.entry(s, printer, &batch[i]); err != nil {
				return err
			}
		}
	}
}

func (c *journalExportCommand) entry(s *streams, printer *terminal.Printer, e *journal.Entry) error {
	at := hub.Position(e.Position)
	switch {
	case e.Back > 0:
		s.note("behind %s, %s that had been on record: the disk has lost them, or the journal is another one", position(at), several(e.Back, "event"))
		return nil
	case e.Lost > 0:
		s.note("%s from %s on not there any more, or not readable", several(e.Lost, "event"), position(at))
		if c.Output != "json" {
			return nil
		}
		line, err := carrier.JSON.AppendObject(nil, carrier.Object{{Key: "position", Value: at}, {Key: "lost", Value: e.Lost}})
		if err != nil {
			return err
		}
		return terminal.JSONLine(s.out, line)
	}
	codec := carrier.CBOR
	if e.JSON {
		codec = carrier.JSON
	}
	err := printer.Print(hub.Event{
		Sender: e.Sender, Name: e.Topic.Event, Time: time.Unix(0, e.Time), Position: at, Data: carrier.RawValue(codec, e.Data),
	})
	if errors.Is(err, terminal.ErrNoJSON) {
		s.note("%s", err)
		return nil
	}
	return err
}
