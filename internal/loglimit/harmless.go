package loglimit

import (
	"fmt"
	"log/slog"
	"slices"

	"sighub/internal/safetext"
)

// How much of a text is logged, in bytes.
const (
	maxName = 96  // of who somebody is
	maxText = 512 // of an error, or anything else
)

// ownKeys are the attributes that the program itself makes, of any length.
func ownKeys() []string { return []string{"stack"} }

// harmless returns the attributes with harmless texts.
func harmless(attrs []slog.Attr) []slog.Attr {
	safe := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		safe[i] = slog.Attr{Key: a.Key, Value: harmlessValue(a.Key, a.Value.Resolve())}
	}
	return safe
}

func harmlessValue(key string, v slog.Value) slog.Value {
	switch v.Kind() {
	case slog.KindString:
		return slog.StringValue(harmlessAttr(key, v.String()))
	case slog.KindGroup:
		return slog.GroupValue(harmless(v.Group())...)
	case slog.KindAny:
		if v.Any() == nil {
			return v
		}
		return slog.StringValue(harmlessAttr(key, fmt.Sprintf("%+v", v.Any())))
	default: // numbers and times
		return v
	}
}

func harmlessAttr(key, text string) string {
	switch {
	case slices.Contains(ownKeys(), key):
		return text
	case slices.Contains(sourceKeys(), key) || key == "name" || key == "uid" || key == "event":
		return safetext.Middle(text, maxName)
	default:
		return harmlessText(text, maxText)
	}
}

func harmlessText(text string, most int) string { return safetext.Short(text, most) }
