//go:build !lockrank

package lockrank

import (
	"log/slog"
	"sync"
)

// A Mutex is a sync.Mutex with a rank.
type Mutex[R Rank] struct{ sync.Mutex }

// MustBeFree panics if this goroutine holds a Mutex, in programs built with the tag lockrank.
func MustBeFree(what string) {}

// Logger returns a logger that, in programs built with the tag lockrank, panics when it is used under a Mutex.
func Logger(l *slog.Logger) *slog.Logger { return l }
