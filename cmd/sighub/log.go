package main

import (
	"io"
	"log/slog"

	"sighub/internal/config"
	"sighub/internal/loglimit"
)

// A programLog is the log of the hub: bounded, harmless, and with a level that can be changed.
type programLog struct {
	*slog.Logger
	level *slog.LevelVar
	limit *loglimit.Handler
}

// newLog returns the log that c, a checked configuration, describes. Close it.
func newLog(out io.Writer, c config.Log) *programLog {
	l := &programLog{level: new(slog.LevelVar)}
	l.setLevel(c.Level)
	o := &slog.HandlerOptions{Level: l.level}
	var writes slog.Handler = slog.NewTextHandler(out, o)
	if c.Format == "json" {
		writes = slog.NewJSONHandler(out, o)
	}
	l.limit = loglimit.New(writes)
	l.Logger = slog.New(l.limit)
	return l
}

func (l *programLog) setLevel(text string) {
	var level slog.Level
	_ = level.UnmarshalText([]byte(text)) // one that the configuration does not have stays "info"
	l.level.Set(level)
}

// Close tells what was left out of the log last.
func (l *programLog) Close() { l.limit.Close() }
