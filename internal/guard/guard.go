package guard

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"sighub/access"
	"sighub/access/audit"
	"sighub/access/identities"
	"sighub/internal/plain"
)

// Options say what a [Guard] works with.
type Options struct {
	Rules string // the file
	// Folder is for what the hub itself writes: the identities, and the audit if it has no other place.
	Folder string
	Audit  string // the file; empty: in the folder
	Quiet  bool   // nothing is written into the audit

	Directory access.Directory // of users and groups; nil: this machine's
	Now       func() time.Time // of invitations and failed logins, by a clock that is never set; nil: time.Now
	Logger    *slog.Logger
}

// Folder returns where a hub with this state folder keeps its identities.
func Folder(state string) string { return filepath.Join(state, "access") }

// auditName is the name of the audit in the folder.
const auditName = "audit.log"

// A Guard lets in whom the rules know. Its methods may be called from any goroutine; those of a nil Guard let everybody in.
type Guard struct {
	options Options
	log     *slog.Logger
	store   *identities.Store
	audit   *audit.Log
	control *access.Control
	apply   atomic.Pointer[func(*access.Policy)]
	watch   watch
	devices verdicts
}

// Open begins to guard. If the rules cannot be used, or the identities are damaged, it says so in the log, and nobody can come in whom
// they were to let in; the owner mends that while the hub runs. An error says why there can be no guard.
func Open(o Options) (*Guard, error) {
	g := &Guard{options: o, log: o.Logger}
	var err error
	if g.store, err = identities.Open(o.Folder, identities.Options{}); err != nil {
		damaged, isDamage := errors.AsType[*identities.DamagedError](err)
		if !isDamage {
			return nil, fmt.Errorf("whom the hub knows cannot be kept in %s: %w: choose another folder with --state", o.Folder, err)
		}
		g.log.Error("the identities cannot be used, so nobody is let in by key, token or password",
			"file", damaged.File, "error", plain.Text(damaged.Err.Error()), "remedy", damaged.Remedy())
	}
	if !o.Quiet {
		file := o.Audit
		if file == "" {
			file = filepath.Join(o.Folder, auditName)
		}
		g.audit, err = audit.Open(audit.Options{File: file, Failed: func(err error) {
			g.log.Error("what is refused and changed could not be written into the audit", "file", file, "error", err)
		}})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("the audit cannot be in %s: %w: choose another file with audit: in access:, or write off", file, err), g.store.Close())
		}
	}
	g.watch.begin(o.Rules) // before it is read
	g.control, err = access.Open(access.Options{File: o.Rules, Store: g.store, Directory: o.Directory, Now: o.Now, Audit: g.audit, Apply: g.changed})
	if err != nil {
		for fault, n := range faults(err) {
			g.log.Error("nobody may do anything: the rules cannot be used; mend the file, then `sighub reload`", "error", fault, "mistakes", n)
		}
	} else {
		g.log.Info("who may do what is written in a file", "rules", o.Rules, "identities", o.Folder)
	}
	g.logWarnings()
	return g, nil
}

// Control returns what decides; nil for a nil Guard.
func (g *Guard) Control() *access.Control {
	if g == nil {
		return nil
	}
	return g.control
}

// Enforce has each policy put into force by a function from now on, and the one that is in force at once. It is called once, before
// anybody is let in.
func (g *Guard) Enforce(apply func(*access.Policy)) {
	if g == nil {
		return
	}
	g.apply.Store(&apply)
	apply(g.control.Policy())
}

func (g *Guard) changed(p *access.Policy) {
	if apply := g.apply.Load(); apply != nil {
		(*apply)(p)
	}
}

// Denied records that a client that was let in may not do something. from is its address.
func (g *Guard) Denied(identity, from, verb, sender, name string) {
	if g != nil {
		g.control.Denied(access.Actor{Who: identity, From: Place(from)}, verb, sender, name)
	}
}

// Reload loads the rules again, and puts them into force, for whoever is named. If they have a fault, the log says which, and those before
// stay in force.
func (g *Guard) Reload(who string) {
	if g == nil {
		return
	}
	changes, err := g.control.Reload(access.Actor{Who: who})
	if err != nil {
		for fault, n := range faults(err) {
			g.log.Error("the rules cannot be used, and those before stay in force", "error", fault, "mistakes", n)
		}
		return
	}
	g.log.Info("the rules were read again, and are in force", "rules", g.options.Rules, "changed", len(changes))
	for _, c := range changes[:min(len(changes), maxTold)] {
		g.log.Info("somebody may do something else than before", "who", c.Who, "gains", c.Gains, "loses", c.Loses)
	}
	g.logWarnings()
}

// maxTold is how many mistakes or changes are logged.
const maxTold = 10

// faults yields the first mistakes that are joined in an error, as people read them, and how many there are.
func faults(err error) iter.Seq2[string, int] {
	return func(yield func(string, int) bool) {
		list := parts(err)
		for _, fault := range list[:min(len(list), maxTold)] {
			if !yield(plain.Text(fault.Error()), len(list)) {
				return
			}
		}
	}
}

func (g *Guard) logWarnings() {
	list := g.control.Policy().Warnings()
	for _, w := range list[:min(len(list), maxTold)] {
		g.log.Warn("the rules are doubtful", "place", w.Place(), "why", w.Message)
	}
}

// parts returns the errors that are joined in err.
func parts(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// During watches over the file of the rules, and writes now and then when identities were last used, while f runs.
func (g *Guard) During(ctx context.Context, f func(context.Context) error) error {
	if g == nil {
		return f(ctx)
	}
	stop := g.keepWatch(ctx)
	defer stop()
	return f(ctx)
}

// Close writes what is not written yet.
func (g *Guard) Close() error {
	if g == nil {
		return nil
	}
	return errors.Join(g.store.Close(), g.audit.Close())
}
