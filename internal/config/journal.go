package config

import (
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"sighub/internal/arguments"
	"sighub/internal/yamlfile"
)

// A Journal says what the hub keeps on disk, and for how long.
type Journal struct {
	Off       bool          // there is no journal
	Folder    string        // empty: in the folder for what the hub remembers between runs
	Keep      []string      // patterns, SENDER or SENDER:EVENT; nil: everything, empty: nothing
	Except    []string      `json:",omitempty"` // patterns of what is not kept all the same
	Size      int64         // bytes of all files
	Age       time.Duration // of the oldest events; 0: any
	Commit    time.Duration // the longest time that events wait to be written with others
	Ack       string        // when a sender's event is acknowledged: AckCommit or AckEarly
	OnFailure string        // of the disk: FailLive or FailHold
}

// What Ack may be.
const (
	AckCommit = "commit" // when it is on disk
	AckEarly  = "early"  // at once, while nothing has waited for the disk for longer than EarlyWindow
)

// EarlyWindow is how much of the latest events a loss of power may take if they are acknowledged early.
const EarlyWindow = time.Second

// What OnFailure may be.
const (
	FailLive = "live" // events are acknowledged when they were handed on
	FailHold = "hold" // nothing is acknowledged until the disk takes it
)

// The ranges of a journal's bounds. A smaller journal would have segments that hold no long event; a longer wait would exceed what
// clients allow for an answer.
const (
	minJournal = 16 << 20
	maxJournal = 1 << 50
	minAge     = time.Minute
	maxCommit  = 5 * time.Second
)

const journalOff = "off"

func ackModes() []string     { return []string{AckCommit, AckEarly} }
func failureModes() []string { return []string{FailLive, FailHold} }

func defaultJournal() Journal {
	return Journal{Size: 1 << 30, Commit: time.Second, Ack: AckCommit, OnFailure: FailLive}
}

// Keeps returns what is kept.
func (j *Journal) Keeps() *arguments.Selection {
	keep := j.Keep
	if keep == nil {
		keep = []string{"*"}
	}
	s, err := arguments.NewSelection(keep, j.Except)
	if err != nil {
		panic(err) // the patterns were checked
	}
	return s
}

// SetJournal applies the command line: a folder, or off.
func (c *Config) SetJournal(text string) {
	switch text {
	case "":
	case journalOff:
		c.Journal.Off = true
	default:
		c.Journal.Off, c.Journal.Folder = false, text
	}
}

func (d *decoder) journal(n ast.Node, j *Journal) {
	if yamlfile.IsNull(n) {
		return
	}
	if _, isMap := n.(ast.MapNode); !isMap {
		switch text := strings.ToLower(n.GetToken().Value); {
		case text == journalOff:
			j.Off = true
		case text != "on":
			d.Fail(n, "journal is %s: write off, or a mapping, such as {folder: /var/lib/sighub/journal}", describeScalar(n))
		}
		return
	}
	d.seen[JournalPlace], _ = yamlfile.Place(n.GetToken())
	d.Mapping(n, "journal",
		yamlfile.Key("folder", func(n ast.Node) { d.folder(n, "folder", &j.Folder) }),
		yamlfile.Key("keep", func(n ast.Node) { j.Keep = d.patterns(n, "keep", j.Keep) }),
		yamlfile.Key("except", func(n ast.Node) { j.Except = d.patterns(n, "except", j.Except) }),
		yamlfile.Key("size", func(n ast.Node) { d.sizeWithin(n, "size", &j.Size, minJournal, maxJournal, "16MiB to 1024TiB") }),
		yamlfile.Key("age", func(n ast.Node) { d.age(n, &j.Age) }),
		yamlfile.Key("commit", func(n ast.Node) {
			commit := j.Commit
			d.duration(n, "commit", &commit)
			if commit > maxCommit {
				d.Fail(n, "commit %s is out of range: write a time from 1ms to %s, because senders wait for it", commit, maxCommit)
				return
			}
			j.Commit = commit
		}),
		yamlfile.Key("ack", func(n ast.Node) { d.choice(n, "ack", &j.Ack, ackModes()) }),
		yamlfile.Key("on_failure", func(n ast.Node) { d.choice(n, "on_failure", &j.OnFailure, failureModes()) }),
	)
}

// folder reads the path of a folder.
func (d *decoder) folder(n ast.Node, what string, v *string) bool {
	text, ok := d.Text(n, what)
	if ok && strings.HasPrefix(text, "~") {
		d.Fail(n, "%s %s: ~ has no meaning here: write the full path, such as /var/lib/sighub", what, text)
		return false
	}
	if ok {
		*v = text
	}
	return ok
}

// patterns reads patterns of senders and events: one, a list, or off, which stands for an empty list.
func (d *decoder) patterns(n ast.Node, what string, before []string) []string {
	if yamlfile.IsNull(n) { // all entries are commented out
		return before
	}
	list := []string{}
	one := func(n ast.Node) {
		text, ok := d.Text(n, "a pattern")
		if !ok || !d.Check(n, arguments.CheckPattern(text)) {
			return
		}
		if slices.Contains([]string{"all", "any", "everything", "none", "nothing", "on"}, strings.ToLower(text)) {
			d.Warn(n, `%s %s means the sender of that name: write "*" for everything, and [] for nothing`, what, text)
		}
		list = append(list, text)
	}
	switch n := n.(type) {
	case *ast.StringNode:
		if n.Value != journalOff || what != "keep" {
			one(n)
		}
	case *ast.SequenceNode:
		d.Items(n, what, one)
	default:
		d.Fail(n, "%s is %s: write a list of patterns, such as [light, \"kitchen.*:temp\"], or [] for none", what, describeScalar(n))
	}
	return list
}

func (d *decoder) age(n ast.Node, v *time.Duration) {
	if number := yamlfile.NumberNode(n); number != nil {
		text := number.GetToken().Value
		d.Fail(n, "age %s has no unit: write %sd or %sh", text, text, text)
		return
	}
	s, ok := n.(*ast.StringNode)
	if !ok {
		d.Fail(n, "age is %s: write a duration such as 12h or 30d, or leave the line out to keep events of any age", describeScalar(n))
		return
	}
	switch t, err := arguments.ParseDuration(strings.ReplaceAll(s.Value, " ", "")); {
	case err != nil:
		d.Fail(n, "age %q is not a duration: write one such as 12h or 30d", s.Value)
	case t < minAge:
		d.Fail(n, "age %s is out of range: write a time of 1m or more", s.Value)
	default:
		*v = t
	}
}
