package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sighub/carrier"
	"sighub/hub"
	"sighub/internal/config"
	"sighub/internal/plain"
	"sighub/internal/terminal"
	"sighub/journal"
	"sighub/journal/folder"
)

// stateFolder makes the folder of this name for what the hub remembers between runs, and returns it. It is inside the folder
// that the user has chosen, else the one that systemd gives this service, else the user's cache. If that fails, it returns "":
// a hub without such a folder works, but must ask its devices again.
func stateFolder(chosen, name string, log *slog.Logger) string {
	dir, level := chosen, slog.LevelWarn // the user has chosen it and should know
	var err error
	if dir == "" {
		level = slog.LevelInfo
		dir, err = usualState()
	}
	if err == nil {
		dir = filepath.Join(dir, name)
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		log.Log(context.Background(), level,
			"the hub will remember nothing after this run: choose another folder with --state", "error", err)
		return ""
	}
	log.Debug("the folder for what is remembered between runs", "folder", dir)
	return dir
}

// usualState returns where programs usually keep state on this system.
func usualState() (string, error) {
	// systemd may give several folders, separated by colons. Any will do.
	if dir, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":"); dir != "" {
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache folder for this user: %w", err)
	}
	return filepath.Join(dir, "sighub"), nil
}

// journalFolder returns where the journal is, according to a configuration; it makes nothing.
func journalFolder(cfg *config.Config) (string, error) {
	if cfg.Journal.Folder != "" {
		return cfg.Journal.Folder, nil
	}
	dir, err := cfg.State, error(nil)
	if dir == "" {
		dir, err = usualState()
	}
	return filepath.Join(dir, "journal"), err
}

// A keeper is the journal of a hub, as it is configured.
type keeper struct {
	*journal.Journal // nil: the hub runs without a journal
	config           *config.Journal
	folder           string
	err              error // why the hub runs without a journal that it was to have
}

// openJournal opens the journal that a configuration describes, and says in one line where it keeps what, and for how long. A hub
// whose folder cannot be used goes on without, and says so, unless it is configured to acknowledge only what is kept.
func openJournal(cfg *config.Config, log *slog.Logger) (*keeper, error) {
	c := &cfg.Journal
	k := &keeper{config: c}
	if c.Off {
		log.Info("nothing is kept: there is no journal, and what is acknowledged was handed on")
		return k, nil
	}
	if k.folder, k.err = journalFolder(cfg); k.err == nil {
		k.Journal, k.err = journal.Open(k.folder, journalOptions(c, log))
	}
	switch {
	case errors.Is(k.err, folder.ErrLocked):
		return nil, fmt.Errorf("another hub keeps its journal in %s: end that one, or give this one a folder of its own with --journal DIR, "+
			"or none with --journal off", k.folder)
	case k.err != nil && c.OnFailure == config.FailHold:
		return nil, fmt.Errorf("the journal cannot be in %s, and this hub acknowledges only what is kept (on_failure: hold): %w: choose another "+
			"folder with --journal DIR", cmp.Or(k.folder, "a folder of this user"), k.err)
	}
	if k.Journal == nil {
		log.Error("nothing is kept, and what is acknowledged was handed on: choose another folder with --journal", "folder", k.folder, "error", k.err)
		return k, nil
	}
	if full, err := filepath.Abs(k.folder); err == nil {
		k.folder = full // others may ask for it, who are elsewhere
	}
	log.Info("what is acknowledged is kept", "folder", k.folder, "events", keptEvents(c), "size", terminal.Size(k.Health().Size), "age", keptAge(c),
		"ack", c.Ack)
	if err := tryFolder(k.folder); err != nil {
		log.Error("the journal cannot be written now: make room, or choose another folder with --journal", "folder", k.folder, "error", err)
	}
	return k, nil
}

func journalOptions(c *config.Journal, log *slog.Logger) journal.Options {
	o := journal.Options{Size: c.Size, Age: c.Age, Logger: log}
	o.Pace.Interval = c.Commit
	if c.OnFailure == config.FailHold {
		o.GiveUp = -1
	}
	return o
}

// apply has the hub use the journal.
func (k *keeper) apply(o *hub.ServerOptions) {
	if k.Journal == nil {
		return
	}
	o.Journal = k.Journal
	if kept := k.config.Keeps(); !kept.All() {
		o.Keeps = func(sender, event string) bool {
			return kept.Takes(sender, event, event == hub.Connect || event == hub.Disconnect || event == hub.Gap)
		}
	}
	if k.config.Ack == config.AckEarly {
		o.AckEarly = config.EarlyWindow
	}
}

// Close closes a journal that was not served.
func (k *keeper) Close() error {
	if k.Journal == nil {
		return nil
	}
	return k.Journal.Close()
}

// keptEvents says which events are kept.
func keptEvents(c *config.Journal) string {
	text := "all"
	switch {
	case c.Keep == nil || slices.Contains(c.Keep, "*"):
	case len(c.Keep) == 0:
		return "none"
	default:
		text = strings.Join(c.Keep, ", ")
	}
	if len(c.Except) > 0 {
		text += ", except " + strings.Join(c.Except, ", ")
	}
	return text
}

func keptAge(c *config.Journal) string {
	if c.Age == 0 {
		return "any"
	}
	const day = 24 * time.Hour
	if c.Age%day == 0 {
		return fmt.Sprintf("%dd", c.Age/day)
	}
	return age(c.Age)
}

// methodJournal is the method of the hub that returns a journalInfo. It takes no parameters.
const methodJournal = "journal"

// A journalInfo says what a hub keeps, and whether it can.
type journalInfo struct {
	Folder    string        `json:"folder,omitempty"` // empty: there is no journal
	Keeps     string        `json:"keeps,omitempty"`  // which events
	Size      int64         `json:"size,omitempty"`   // that all files may have, in bytes
	Bytes     int64         `json:"bytes,omitempty"`  // that they have
	MaxAge    string        `json:"max_age,omitempty"`
	Ack       string        `json:"ack,omitempty"`
	OnFailure string        `json:"on_failure,omitempty"`
	First     *hub.Position `json:"first,omitempty"` // of the oldest event
	Next      *hub.Position `json:"next,omitempty"`
	Oldest    *time.Time    `json:"oldest,omitempty"`
	Newest    *time.Time    `json:"newest,omitempty"`
	Cursors   int           `json:"cursors,omitempty"`
	Lost      uint64        `json:"lost,omitempty"`  // events that were given up, because they could not be written
	Error     string        `json:"error,omitempty"` // why nothing can be written
	Since     *time.Time    `json:"since,omitempty"` // when that began
}

// info returns what the hub keeps.
func (k *keeper) info() journalInfo {
	if k.Journal == nil {
		if k.err != nil {
			return journalInfo{Error: plain.Text(k.err.Error()), OnFailure: k.config.OnFailure}
		}
		return journalInfo{}
	}
	info := k.facts()
	info.Keeps, info.MaxAge = keptEvents(k.config), keptAge(k.config)
	info.Size, info.Ack, info.OnFailure = k.Health().Size, k.config.Ack, k.config.OnFailure
	return info
}

// facts returns what is in the folder.
func (k *keeper) facts() journalInfo {
	h := k.Health()
	info := journalInfo{
		Folder: k.folder, Bytes: h.Bytes, Next: new(hub.Position(h.Next)), Cursors: len(k.Cursors()), Lost: h.LostEvents,
	}
	if h.First.Sequence > 0 {
		info.First = new(hub.Position(h.First))
	}
	if !h.Oldest.IsZero() {
		info.Oldest, info.Newest = new(h.Oldest.UTC()), new(h.Newest.UTC())
	}
	if h.Err != nil {
		info.Error, info.Since = plain.Text(h.Err.Error()), &h.Since
	}
	return info
}

// methods returns those by which clients learn of the journal.
func (k *keeper) methods(others map[string]hub.Method) map[string]hub.Method {
	others[methodJournal] = func(context.Context, carrier.Value) (any, error) { return k.info(), nil }
	return others
}
