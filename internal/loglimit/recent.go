package loglimit

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"sighub/internal/lockrank"
)

// How much of the log is kept for people who ask, whatever is logged.
const (
	recentLines = 1000
	recentBytes = 256 << 10 // of texts
	recentAttrs = 16        // of a line
	lineCost    = 100       // bytes that a line takes beside its texts
)

// A Line is a line of the log.
type Line struct {
	Time    time.Time         `json:"time"`
	Level   string            `json:"level"` // debug, info, warn or error
	Message string            `json:"message"`
	Attrs   map[string]string `json:"attrs,omitempty"`

	level slog.Level
	size  int
}

// Recent keeps the latest lines of a log. The zero Recent is empty. Its methods may be called from any goroutine.
type Recent struct {
	mu    lockrank.Mutex[lockrank.Leaf]
	lines []Line // the oldest first
	bytes int
}

// Lines returns the latest lines, the newest first, at most so many of them:
//   - of a level or above,
//   - about what has one of the texts of about for its name or its address, if there are any, and
//   - with all words, in the message or in an attribute written as key=value. The words are in small letters; those of a line need not be.
func (r *Recent) Lines(level slog.Level, about, words []string, most int) []Line {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := []Line{}
	for i := len(r.lines) - 1; i >= 0 && len(found) < most; i-- {
		if l := &r.lines[i]; l.level >= level && (len(about) == 0 || l.isAbout(about)) && l.has(words) {
			found = append(found, *l)
		}
	}
	return found
}

// has reports whether a line has all of some words.
func (l *Line) has(words []string) bool {
	if len(words) == 0 {
		return true
	}
	text := l.Message
	for key, value := range l.Attrs {
		text += "\n" + key + "=" + value
	}
	text = strings.ToLower(text)
	return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) })
}

// isAbout reports whether a line is about one of those.
func (l *Line) isAbout(list []string) bool {
	for key, value := range l.Attrs {
		if !slices.Contains(sourceKeys(), key) && !slices.Contains(nameKeys(), key) {
			continue
		}
		name, place, both := strings.Cut(strings.TrimSuffix(value, ")"), " (")
		if slices.Contains(list, value) || both && (slices.Contains(list, name) || slices.Contains(list, place)) {
			return true
		}
	}
	return false
}

// nameKeys are the attributes that name whom a record is about, beside those of sourceKeys.
func nameKeys() []string { return []string{"name", "uid", "bridge", "identity"} }

// add keeps a line, for which the oldest may make way.
func (r *Recent) add(l Line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, l)
	r.bytes += l.size
	gone := 0
	for len(r.lines)-gone > recentLines || r.bytes > recentBytes {
		r.bytes -= r.lines[gone].size
		gone++
	}
	r.lines = slices.Delete(r.lines, 0, gone)
}

// A recorder is a handler that keeps what passes on to the next one, which is harmless already.
type recorder struct {
	slog.Handler
	recent *Recent
	attrs  []slog.Attr // that were given with WithAttrs
	group  string      // that was given with WithGroup, with a dot behind
}

// WithAttrs implements [slog.Handler].
func (h *recorder) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.Handler = h.Handler.WithAttrs(attrs)
	next.attrs = slices.Clone(h.attrs)
	for _, a := range attrs {
		next.attrs = append(next.attrs, slog.Attr{Key: h.group + a.Key, Value: a.Value})
	}
	return &next
}

// WithGroup implements [slog.Handler].
func (h *recorder) WithGroup(name string) slog.Handler {
	next := *h
	next.Handler = h.Handler.WithGroup(name)
	if name != "" {
		next.group += name + "."
	}
	return &next
}

// Handle implements [slog.Handler].
func (h *recorder) Handle(ctx context.Context, r slog.Record) error {
	l := Line{Time: r.Time.UTC(), Level: strings.ToLower(r.Level.String()), Message: r.Message, Attrs: make(map[string]string), level: r.Level}
	add := func(key string, v slog.Value) {
		if len(l.Attrs) < recentAttrs {
			l.Attrs[key] = strings.Clone(harmlessText(v.String(), maxText)) // also of one that is the program's own
		}
	}
	for _, a := range h.attrs {
		add(a.Key, a.Value)
	}
	r.Attrs(func(a slog.Attr) bool {
		add(h.group+a.Key, a.Value)
		return true
	})
	l.size = lineCost + len(l.Message)
	for key, value := range l.Attrs {
		l.size += len(key) + len(value) + lineCost
	}
	h.recent.add(l)
	return h.Handler.Handle(ctx, r)
}
