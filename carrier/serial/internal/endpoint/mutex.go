package endpoint

import (
	"context"
	"log/slog"

	"sighub/internal/lockrank"
)

// maxKept bounds the records that a Mutex keeps.
const maxKept = 1000

// A Mutex is a [sync.Mutex] under which records can be logged. Its Logger keeps them, with their times and in their order,
// and Unlock writes them once the lock is free. So a log that is slow, or takes locks of its own, delays nobody who waits for
// the Mutex. One goroutine writes at a time, so a record may come behind one that another goroutine has logged without the
// lock; its time tells. If maxKept records gather meanwhile, further ones are counted instead.
type Mutex struct {
	mu      lockrank.Mutex[lockrank.Serial]
	kept    []keptRecord // oldest first
	dropped int
	writing bool
}

type keptRecord struct {
	to     slog.Handler
	record slog.Record
}

// Lock locks m.
func (m *Mutex) Lock() { m.mu.Lock() }

// Unlock unlocks m, then writes the records that were logged.
func (m *Mutex) Unlock() {
	if m.writing || len(m.kept) == 0 {
		m.mu.Unlock()
		return
	}
	m.writing = true
	for len(m.kept) > 0 {
		kept, dropped := m.kept, m.dropped
		m.kept, m.dropped = nil, 0
		m.mu.Unlock()
		for _, k := range kept {
			_ = k.to.Handle(context.Background(), k.record) // there is nowhere to report it
		}
		if dropped > 0 {
			slog.New(kept[len(kept)-1].to).Warn("the log is too slow: records were dropped", "records", dropped)
		}
		m.mu.Lock()
	}
	m.writing = false
	m.mu.Unlock()
}

// Logger returns a logger that writes to l. It must only be used while m is held.
func (m *Mutex) Logger(l *slog.Logger) *slog.Logger { return slog.New(keeper{m, l.Handler()}) }

// A keeper is the handler of a Mutex's Logger.
type keeper struct {
	m  *Mutex
	to slog.Handler
}

func (k keeper) Enabled(ctx context.Context, level slog.Level) bool { return k.to.Enabled(ctx, level) }

func (k keeper) Handle(_ context.Context, r slog.Record) error {
	if len(k.m.kept) == maxKept {
		k.m.dropped++
		return nil
	}
	k.m.kept = append(k.m.kept, keptRecord{k.to, r.Clone()})
	return nil
}

func (k keeper) WithAttrs(attrs []slog.Attr) slog.Handler { return keeper{k.m, k.to.WithAttrs(attrs)} }
func (k keeper) WithGroup(name string) slog.Handler       { return keeper{k.m, k.to.WithGroup(name)} }
