package guard

import (
	"context"
	"os"
	"sync"
	"time"
)

const (
	// lookEvery is how often the file of the rules is looked at. A file is read when it was the same for two looks: it may be half
	// saved before.
	lookEvery = 5 * time.Second
	// flushEvery is how often it is written when identities were last used.
	flushEvery = time.Hour
)

// A watch is over the file of the rules. It only says that the file is not in force: what is half written, or written by mistake, must
// take nothing from anybody.
type watch struct {
	file string
	seen fileState // when the file was looked at last
	read fileState // when what it says was looked at last
}

// A fileState is what tells that a file may have changed.
type fileState struct {
	modified int64 // nanoseconds
	size     int64
	mode     os.FileMode
	there    bool
}

func stateOf(file string) fileState {
	info, err := os.Stat(file)
	if err != nil {
		return fileState{}
	}
	return fileState{info.ModTime().UnixNano(), info.Size(), info.Mode(), true}
}

func (w *watch) begin(file string) {
	w.file, w.seen = file, stateOf(file)
	w.read = w.seen
}

// look returns what is to be said of the file, once for each change; empty: nothing. pending is asked only if the file may have changed.
func (w *watch) look(pending func() string) string {
	now := stateOf(w.file)
	settled := now == w.seen
	w.seen = now
	if !settled || now == w.read {
		return ""
	}
	w.read = now
	return pending()
}

// keepWatch looks at the file and flushes the identities, until ctx is done or stop is called.
func (g *Guard) keepWatch(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		look, flush := time.NewTicker(lookEvery), time.NewTicker(flushEvery)
		defer look.Stop()
		defer flush.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-look.C:
				if say := g.watch.look(g.control.Pending); say != "" {
					g.log.Warn("the rules in the file are not those in force", "why", say)
				}
			case <-flush.C:
				if err := g.store.Flush(); err != nil {
					g.log.Error("when identities were last used could not be written", "error", err)
				}
			}
		}
	})
	return func() { cancel(); watching.Wait() }
}
