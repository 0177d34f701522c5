package loglimit

import (
	"io"
	"log/slog"
)

// A Log is that of a program: bounded, harmless, and with a level that can be changed.
type Log struct {
	*slog.Logger
	Recent *Recent // its latest lines

	level *slog.LevelVar
	limit *Handler
}

// Open returns a Log that writes lines of text, or of JSON if the format is "json". Close it.
func Open(out io.Writer, level, format string) *Log {
	l := &Log{level: new(slog.LevelVar), Recent: new(Recent)}
	l.SetLevel(level)
	o := &slog.HandlerOptions{Level: l.level}
	var writes slog.Handler = slog.NewTextHandler(out, o)
	if format == "json" {
		writes = slog.NewJSONHandler(out, o)
	}
	l.limit = New(&recorder{Handler: writes, recent: l.Recent})
	l.Logger = slog.New(l.limit)
	return l
}

// SetLevel sets the level: debug, info, warn or error; any other text is info.
func (l *Log) SetLevel(text string) {
	var level slog.Level
	_ = level.UnmarshalText([]byte(text))
	l.level.Set(level)
}

// Close tells what was left out of the log last.
func (l *Log) Close() { l.limit.Close() }
