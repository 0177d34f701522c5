package loglimit

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// A Handler is a [slog.Handler] that lets pass a limited number of records, made harmless. Records below [slog.LevelInfo] are not
// limited: whoever asks for them wants them all.
type Handler struct {
	*shared
	next   slog.Handler
	source source // of the attributes that were given with WithAttrs
}

// shared is what a Handler has in common with those that WithAttrs and WithGroup make of it.
type shared struct {
	limiter limiter
	first   slog.Handler // writes what the handler itself has to say

	mu     sync.Mutex // of what follows; nothing is written under it
	timer  *time.Timer
	closed bool
	timing sync.WaitGroup
}

// New returns a handler that passes records on to next. Close it.
func New(next slog.Handler) *Handler {
	return &Handler{shared: &shared{first: next}, next: next, source: unknown}
}

// Close tells what was left out since the latest time, and ends. Records that come later pass as before, but nothing tells what is
// left out of them.
func (h *Handler) Close() {
	h.mu.Lock()
	h.closed = true
	if h.timer != nil && h.timer.Stop() {
		h.timing.Done()
	}
	h.mu.Unlock()
	h.timing.Wait()
	h.tell(true)
}

// Enabled implements [slog.Handler].
func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// WithAttrs implements [slog.Handler].
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	safe, source := harmless(attrs), h.source
	for _, a := range attrs {
		source = source.with(a)
	}
	return &Handler{shared: h.shared, next: h.next.WithAttrs(safe), source: source}
}

// WithGroup implements [slog.Handler].
func (h *Handler) WithGroup(name string) slog.Handler {
	return &Handler{shared: h.shared, next: h.next.WithGroup(name), source: h.source}
}

// Handle implements [slog.Handler].
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	source := h.source
	attrs := make([]slog.Attr, 0, r.NumAttrs())
	r.Attrs(func(a slog.Attr) bool {
		source = source.with(a)
		attrs = append(attrs, a)
		return true
	})
	if r.Level >= slog.LevelInfo {
		pass, rest, over := h.limiter.pass(time.Now(), r.Message, r.Level, source)
		h.write(ctx, over)
		if rest > 0 {
			h.wait(rest)
		}
		if !pass {
			return nil
		}
	}
	safe := slog.NewRecord(r.Time, r.Level, harmlessText(r.Message, maxText), r.PC)
	safe.AddAttrs(harmless(attrs)...)
	return h.next.Handle(ctx, safe)
}

// wait sees to it that what was left out is told at the end of the window, even if nothing else is logged then.
func (s *shared) wait(rest time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if s.timer != nil && s.timer.Stop() {
		s.timing.Done()
	}
	s.timing.Add(1)
	s.timer = time.AfterFunc(rest, func() {
		defer s.timing.Done()
		s.tell(false)
	})
}

// tell tells what was left out of a window that is over, or of the present one, too.
func (s *shared) tell(atOnce bool) {
	s.limiter.mu.Lock()
	over := s.limiter.end(time.Now(), atOnce)
	s.limiter.mu.Unlock()
	s.write(context.Background(), over)
}

func (s *shared) write(ctx context.Context, over []*leftOut) {
	for _, o := range over {
		if !s.first.Enabled(ctx, o.level) {
			continue
		}
		r := slog.NewRecord(time.Now(), o.level, "left out of the log", 0)
		r.AddAttrs(slog.String("message", harmlessText(o.message, maxText)), slog.Int("times", o.times),
			slog.String("source", harmlessText(o.most(), maxName)))
		switch n := len(o.sources); {
		case n > maxSources:
			r.AddAttrs(slog.String("sources", fmt.Sprintf("more than %d", maxSources)))
		case n > 1:
			r.AddAttrs(slog.Int("sources", n))
		}
		_ = s.first.Handle(ctx, r) // there is nowhere left to complain to
	}
}
