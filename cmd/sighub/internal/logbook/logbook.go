// Package logbook tells the latest lines of the hub's log to those who may read them.
package logbook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"sighub/carrier"
	"sighub/hub"
	"sighub/internal/loglimit"
)

// MethodLog is the request that lists the latest lines. Its parameters are a [Question], its answer a list of [loglimit.Line].
const MethodLog = "list_log"

// A Question says which lines.
type Question struct {
	Level string   `json:"level"` // debug, info, warn or error, and what is worse; empty: all
	About []string `json:"about"` // names or addresses of whom they are about; empty: all
	Find  string   `json:"find"`  // words that they have, of texts or of attributes as key=value, in letters of any size; empty: all
	Limit int      `json:"limit"` // how many at the most; 0: as many as an answer may have
}

// Bounds of a question and its answer.
const (
	mostLines = 200
	mostAbout = 64
	mostWords = 16
)

// Method adds the method that lists lines of the log.
func Method(r *loglimit.Recent, others map[string]hub.Method) map[string]hub.Method {
	others[MethodLog] = func(_ context.Context, v carrier.Value) (any, error) {
		var q Question
		if !v.IsNull() {
			if err := v.Decode(&q); err != nil {
				return nil, fmt.Errorf("the arguments are not understood: %w", err)
			}
		}
		return lines(r, q)
	}
	return others
}

func lines(r *loglimit.Recent, q Question) ([]loglimit.Line, error) {
	level := slog.LevelDebug
	switch q.Level {
	case "", "debug":
	case "info":
		level = slog.LevelInfo
	case "warn":
		level = slog.LevelWarn
	case "error":
		level = slog.LevelError
	default:
		return nil, errors.New("level must be debug, info, warn or error")
	}
	if q.Limit < 0 || q.Limit > mostLines {
		return nil, fmt.Errorf("limit must be from 1 to %d", mostLines)
	}
	if len(q.About) > mostAbout {
		return nil, fmt.Errorf("about may have %d texts", mostAbout)
	}
	words := strings.Fields(strings.ToLower(q.Find))
	if len(words) > mostWords {
		return nil, fmt.Errorf("find may have %d words", mostWords)
	}
	if q.Limit == 0 {
		q.Limit = mostLines
	}
	return r.Lines(level, q.About, words, q.Limit), nil
}
