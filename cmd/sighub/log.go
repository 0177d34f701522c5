package main

import (
	"io"
	"log/slog"

	"sighub/internal/config"
)

// newLogger returns the logger that c, a checked configuration, describes.
func newLogger(out io.Writer, c config.Log) *slog.Logger {
	o := &slog.HandlerOptions{Level: slog.LevelInfo}
	switch c.Level {
	case "debug":
		o.Level = slog.LevelDebug
	case "warn":
		o.Level = slog.LevelWarn
	case "error":
		o.Level = slog.LevelError
	}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(out, o))
	}
	return slog.New(slog.NewTextHandler(out, o))
}
