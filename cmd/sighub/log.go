package main

import (
	"io"
	"log/slog"

	"sighub/internal/config"
)

// newLogger returns the logger that c, a checked configuration, describes.
func newLogger(out io.Writer, c config.Log) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // one that the configuration does not have stays "info"
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(out, o))
	}
	return slog.New(slog.NewTextHandler(out, o))
}
