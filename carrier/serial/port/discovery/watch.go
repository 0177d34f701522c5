package discovery

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// Rescan is how long a change may go unnoticed where the system cannot report it.
	Rescan = time.Second
	// doubt is how long it may where the system should have: old kernels are silent about some file systems, such as that of PTYs.
	doubt = time.Minute
	// calm is the shortest time between two calls of look: an adapter brings several files, whose rights change later.
	calm = 20 * time.Millisecond
	// seldom is how many times longer than a look it is at least from one to the next that nobody has asked for: with a thousand ports,
	// a look takes 40 ms, and takes 2 % of the time all the same.
	seldom = 50
	// longest bounds that, so that one look that took long, on a machine that was busy, does not put off the next one for minutes.
	longest = 10 * time.Second
)

// Watch calls look at once; then, with told true, whenever the system reports that a port that one of the patterns names may
// have come, gone or changed its rights; and, with told false, once a minute. Where the system cannot report all of that, it is once a
// second, or every ten seconds if a look takes long. What soon receives has it called a second later, too. It returns when ctx is done.
func (s System) Watch(ctx context.Context, patterns []Pattern, log *slog.Logger, soon <-chan struct{}, look func(told bool)) {
	if len(patterns) == 0 { // nothing can come
		look(false)
		<-ctx.Done()
		return
	}
	w := watcher{log: log}
	w.name(s.Root, patterns)
	events := w.start()
	defer w.stop()
	again := time.NewTimer(Rescan)
	defer again.Stop()
	for told := false; ; {
		began := time.Now()
		rest := Rescan
		if w.follow() {
			rest = doubt
		}
		look(told)
		least, unasked := pauses(time.Since(began))
		again.Reset(max(rest, unasked))
		select {
		case <-ctx.Done():
			return
		case <-time.After(least):
		}
		asked := soon
		for waits := true; waits; {
			select {
			case <-ctx.Done():
				return
			case <-events:
				told, waits = true, false
			case <-again.C:
				told, waits = false, false
			case <-asked:
				again.Reset(unasked)
				asked = nil // once is enough, and again and again would put it off
			}
		}
	}
}

// pauses returns how long after a look that took so long the next one is taken: at least, also if ports come, and if nobody asks for it.
func pauses(took time.Duration) (least, unasked time.Duration) {
	least = min(max(calm, took), Rescan) // many ports that come leave half of the time to others
	return least, max(Rescan, min(seldom*took, longest))
}

// A watcher has the system report changes in folders. The folders may come and go: /dev/serial only exists while there is an
// adapter.
type watcher struct {
	folders []string
	partly  bool // something may change in other folders
	log     *slog.Logger
	notify  *fsnotify.Watcher
	done    chan struct{}
	failed  string // the latest error, as logged
}

// name says where what changes matters.
func (w *watcher) name(root string, patterns []Pattern) {
	for _, p := range patterns {
		if p.kind == remote {
			continue
		}
		dir := p.folder()
		w.add(root + dir)
		if strings.HasPrefix(dir, devices+"/") { // it has links, and what they lead to may change its rights
			w.add(root + devices)
		}
		w.partly = w.partly || p.kind == glob && filepath.Dir(p.text) != dir
	}
}

func (w *watcher) add(dir string) {
	if !slices.Contains(w.folders, dir) {
		w.folders = append(w.folders, dir)
	}
}

// start returns a channel that receives after a change. If the system cannot report changes, it never does.
func (w *watcher) start() <-chan struct{} {
	changed := make(chan struct{}, 1)
	var err error
	if w.notify, err = fsnotify.NewWatcher(); err != nil {
		w.fail(err)
		return changed
	}
	w.done = make(chan struct{})
	go func() {
		defer close(w.done)
		for {
			select {
			case e, ok := <-w.notify.Events:
				if !ok {
					return
				}
				if !e.Has(fsnotify.Create | fsnotify.Remove | fsnotify.Rename | fsnotify.Chmod) {
					continue // such as a write to an open port
				}
			case _, ok := <-w.notify.Errors: // there were too many changes, and some are missing
				if !ok {
					return
				}
			}
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	}()
	return changed
}

// follow watches each folder; one that does not exist in the nearest folder above that does. It reports whether the system reports
// all changes.
func (w *watcher) follow() (all bool) {
	if w.notify == nil {
		return false
	}
	all = !w.partly
	for _, dir := range w.folders {
		if err := nearest(dir, w.notify.Add); err != nil {
			w.fail(err)
			all = false
		}
	}
	return all
}

// nearest has a folder watched or, while it does not exist, the nearest one above it that does.
func nearest(dir string, watch func(dir string) error) error {
	for at, missing := dir, ""; ; {
		switch err := watch(at); {
		case err == nil && missing == "":
			return nil
		case err == nil:
			// What came into that folder before it was watched is not reported.
			if _, err := os.Stat(missing); errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			at, missing = dir, ""
		default:
			above := filepath.Dir(at)
			if _, statErr := os.Stat(at); !errors.Is(statErr, fs.ErrNotExist) || above == at {
				return err
			}
			at, missing = above, at
		}
	}
}

// fail logs each reason once for which the system reports no changes.
func (w *watcher) fail(err error) {
	if w.failed != err.Error() {
		w.failed = err.Error()
		w.log.Warn("the system does not report new ports: they are looked for once a second", "error", err)
	}
}

func (w *watcher) stop() {
	if w.notify != nil {
		_ = w.notify.Close()
		<-w.done
	}
}
