package loglimit

import (
	"cmp"
	"log/slog"
	"maps"
	"slices"
	"time"

	"sighub/internal/lockrank"
)

// What passes in one window. A hub that starts with 30 devices logs four lines for each; a program on the network that connects in
// a loop makes two or three kinds of records.
const (
	window = time.Minute

	// With the same message, from the same source.
	perNetworkSource = 5
	perLocalSource   = 20 // a boot loader prints as much
	// With the same message, from all sources on the network.
	perMessage = 20
	// With any message: from all sources on the network, and from one source on this machine. A minute may touch two windows: so
	// that it has a hundred records at most, a window has 45, with the errors, which pass beyond the total, and those that tell
	// what the window before left out.
	networkTotal = 30
	localTotal   = 30
	// With any message, from all sources on this machine: thirty devices may start, and print, at once.
	allLocal   = 1000
	moreErrors = 8

	// What is remembered of a window: what passed has bounds already.
	maxMessages = 128
	maxSources  = 64 // of a message
	// Records that tell of what was left out.
	maxSummaries = 10
)

// others stands for all sources, or messages, beyond these, and for any source on this machine.
const others = "others"

// A key is what is counted. An empty message stands for any, as does an empty source.
type key struct {
	message, source string
	network         bool
}

// A limiter decides what passes. It is safe for concurrent use.
type limiter struct {
	mu     lockrank.Mutex[lockrank.Leaf]
	begin  time.Time // of the window; zero: there is none
	passed map[key]int
	left   map[string]*leftOut // by message
}

// leftOut is what was left out with one message.
type leftOut struct {
	message string
	level   slog.Level
	times   int
	sources map[string]int
}

// pass reports whether a record passes, and returns what was left out of a window that is over. If the record is the first one that
// its window leaves out, rest is the rest of the window.
func (l *limiter) pass(now time.Time, message string, level slog.Level, s source) (ok bool, rest time.Duration, over []*leftOut) {
	l.mu.Lock()
	defer l.mu.Unlock()
	over = l.end(now, false)
	if l.begin.IsZero() {
		l.begin, l.passed, l.left = now, make(map[key]int), make(map[string]*leftOut)
	}
	most, total := perLocalSource, localTotal
	same, all := key{message, s.name, s.network}, key{source: s.name}
	if s.network {
		most, total = perNetworkSource, networkTotal
		all = key{network: true}
	}
	if level >= slog.LevelError {
		total += moreErrors
	}
	everywhere, mostEverywhere := key{message: message, network: true}, perMessage
	if !s.network {
		everywhere, mostEverywhere = key{message: others, source: others}, allLocal
	}
	if l.passed[same] < most && l.passed[all] < total && l.passed[everywhere] < mostEverywhere {
		for _, k := range []key{same, all, everywhere} {
			l.passed[k]++
		}
		return true, 0, over
	}
	if len(l.left) == 0 {
		rest = window - now.Sub(l.begin)
	}
	l.leaveOut(message, level, cmp.Or(s.name, "the hub"))
	return false, rest, over
}

func (l *limiter) leaveOut(message string, level slog.Level, source string) {
	o := l.left[message]
	if o == nil && len(l.left) >= maxMessages {
		message = others
		o = l.left[message]
	}
	if o == nil {
		o = &leftOut{message: message, level: level, sources: make(map[string]int)}
		l.left[message] = o
	}
	o.times++
	o.level = max(o.level, level)
	if o.sources[source] == 0 && len(o.sources) >= maxSources {
		source = others
	}
	o.sources[source]++
}

// end ends the window if it is over, or at once, and returns what it left out, most often first.
func (l *limiter) end(now time.Time, atOnce bool) []*leftOut {
	if l.begin.IsZero() || !atOnce && now.Sub(l.begin) < window {
		return nil
	}
	list := slices.Collect(maps.Values(l.left))
	l.begin, l.passed, l.left = time.Time{}, nil, nil
	slices.SortFunc(list, func(a, b *leftOut) int {
		return cmp.Or(cmp.Compare(b.times, a.times), cmp.Compare(a.message, b.message))
	})
	if len(list) > maxSummaries {
		rest := &leftOut{message: others, sources: make(map[string]int)}
		for _, o := range list[maxSummaries-1:] {
			rest.level = max(rest.level, o.level)
			rest.times += o.times
			for source, n := range o.sources {
				rest.sources[source] += n
			}
		}
		list = append(list[:maxSummaries-1], rest)
	}
	return list
}

// most returns the source of which most was left out; how many there are is len(o.sources).
func (o *leftOut) most() string {
	names := slices.Sorted(maps.Keys(o.sources))
	return slices.MaxFunc(names, func(a, b string) int { return cmp.Compare(o.sources[a], o.sources[b]) })
}
