package nats

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"sighub/carrier"
	"sighub/internal/lockrank"
)

// A tracker knows which messages of the stream are dealt with.
type tracker struct {
	mu     lockrank.Mutex[lockrank.Leaf]
	id     string   // of the stream
	floor  spot     // everything up to this message is dealt with
	last   spot     // the latest message
	queue  []*entry // what is behind it, in order
	change chan struct{}
}

// A spot is a message's place in the stream. A stream that was put back to an older copy of itself gives its numbers again, but not the times.
type spot struct {
	number uint64
	taken  int64 // when the stream took it, in nanoseconds since 1970; 0: not known
}

// spotOf returns where a message is.
func spotOf(meta *jetstream.MsgMetadata) spot {
	return spot{meta.Sequence.Stream, meta.Timestamp.UnixNano()}
}

// An entry is a message of the stream.
type entry struct {
	spot
	done atomic.Bool
}

// maxTracked is how many messages may be under way.
const maxTracked = 8192

// begin begins behind a message of a stream. What was under way is forgotten.
func (t *tracker) begin(id string, floor spot) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.id, t.floor, t.last, t.queue = id, floor, floor, nil
}

// undo takes back the latest messages, from a number on: they are read again.
func (t *tracker) undo(from uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for n := len(t.queue); n > 0 && t.queue[n-1].number >= from; n-- {
		t.queue = t.queue[:n-1]
	}
	if n := len(t.queue); n > 0 {
		t.last = t.queue[n-1].spot
	} else if t.last.number >= from {
		t.last = t.floor
	}
}

func (t *tracker) stream() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.id
}

// at returns the stream, up to where everything of it is dealt with, and the latest message.
func (t *tracker) at() (id string, floor, last spot) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.id, t.floor, t.last
}

// add adds a message, when there is room for it.
func (t *tracker) add(ctx context.Context, at spot) (*entry, error) {
	e := &entry{spot: at}
	for {
		t.mu.Lock()
		room := len(t.queue) < maxTracked
		if room {
			t.queue, t.last = append(t.queue, e), at
		}
		t.mu.Unlock()
		if room {
			return e, nil
		}
		select {
		case <-t.change:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// finish notes that messages are dealt with.
func (t *tracker) finish(list ...*entry) {
	for _, e := range list {
		e.done.Store(true)
	}
	t.mu.Lock()
	for len(t.queue) > 0 && t.queue[0].done.Load() {
		t.floor, t.queue = t.queue[0].spot, t.queue[1:]
	}
	t.mu.Unlock()
	select {
	case t.change <- struct{}{}:
	default:
	}
}

// keepFloorEach is how often it is kept up to where the stream is dealt with.
const keepFloorEach = 5 * time.Second

func (f *far) markKey(hub string) string { return "nats/" + f.b.o.Name + "/" + hub }

// A mark says which message of which stream.
func formatMark(stream string, at spot) []byte {
	return fmt.Appendf(nil, "%s %d %d", stream, at.number, at.taken)
}

// splitMark returns what a mark says, and what is behind that. Those of older versions have no time.
func splitMark(mark []byte) (stream string, at spot, rest string, ok bool) {
	stream, rest, _ = strings.Cut(string(mark), " ")
	number, rest, _ := strings.Cut(rest, " ")
	taken, rest, _ := strings.Cut(rest, " ")
	var err, err2 error
	if at.number, err = strconv.ParseUint(number, 10, 64); taken != "" {
		at.taken, err2 = strconv.ParseInt(taken, 10, 64)
	}
	return stream, at, rest, errors.Join(err, err2) == nil
}

// A stream that was set back, as to an older copy of itself, gives its numbers again. It counts as another one from then on, whose id is the
// former one, a slash, and something new.
const again = "/"

// isOf reports whether an id is that of a stream, however often that was set back.
func isOf(id, stream string) bool { return id == stream || strings.HasPrefix(id, stream+again) }

// keepFloor keeps up to where the stream is dealt with, so that the next run begins there.
func (f *far) keepFloor() {
	id, floor, _ := f.track.at()
	if f.keeper == nil || id == "" {
		return
	}
	state := formatMark(id, floor)
	if string(state) == f.kept {
		return
	}
	f.kept = string(state)
	f.keeper.Keep(0, carrier.Mark{Key: f.markKey(""), State: state}, func() {})
}
