package discovery

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// Rescan is how long a change may go unnoticed if the system does not report it.
	Rescan = time.Second
	// calm is the shortest time between two calls of look: an adapter brings several files, whose rights change later.
	calm = 20 * time.Millisecond
	// seldom is how many times longer than a look it is at least from one to the next that nobody has asked for: with a thousand ports,
	// a look takes 40 ms, and takes 2 % of the time all the same.
	seldom = 50
	// longest bounds that, so that one look that took long, on a machine that was busy, does not put off the next one for minutes.
	longest = 10 * time.Second
)

// Watch calls look at once; then, with told true, whenever the system reports that a port that one of the patterns names may
// have come, gone or changed its rights; and, with told false, once a second, or less often if that takes long, but every ten
// seconds. It returns when ctx is done.
func (s System) Watch(ctx context.Context, patterns []Pattern, log *slog.Logger, look func(told bool)) {
	if len(patterns) == 0 { // nothing can come
		look(false)
		<-ctx.Done()
		return
	}
	w := watcher{log: log}
	for _, p := range patterns {
		if p.kind == remote {
			continue
		}
		if dir := s.Root + p.folder(); !slices.Contains(w.folders, dir) {
			w.folders = append(w.folders, dir)
		}
	}
	events := w.start()
	defer w.stop()
	again := time.NewTimer(Rescan)
	defer again.Stop()
	for told := false; ; {
		began := time.Now()
		w.follow()
		look(told)
		least, unasked := pauses(time.Since(began))
		again.Reset(unasked)
		select {
		case <-ctx.Done():
			return
		case <-time.After(least):
		}
		select {
		case <-ctx.Done():
			return
		case <-events:
			told = true
		case <-again.C:
			told = false
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
	log     *slog.Logger
	notify  *fsnotify.Watcher
	done    chan struct{}
	failed  string // the latest error, as logged
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

// follow watches each folder; one that does not exist in the nearest folder above that does.
func (w *watcher) follow() {
	if w.notify == nil {
		return
	}
	for _, dir := range w.folders {
		for {
			err := w.notify.Add(dir)
			if err == nil {
				break
			}
			above := filepath.Dir(dir)
			if _, statErr := os.Stat(dir); !errors.Is(statErr, fs.ErrNotExist) || above == dir {
				w.fail(err)
				break
			}
			dir = above
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
