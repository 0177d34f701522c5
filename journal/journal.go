package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"
)

// Options are those of a Journal. Zero values are defaults.
type Options struct {
	// Size is how many bytes all segments have together: 1 GiB by default. The oldest events go when they are used up.
	Size int64
	// Segment is the size of a segment: 8 MiB by default.
	Segment int64
	// Pending is how many bytes may wait to be committed: 8 MiB by default. See [Journal.Room].
	Pending int
	Pace    PaceOptions
	// GiveUp is how long a journal that cannot write keeps what waits, before it tells that it is not durable: 10 s by default.
	GiveUp time.Duration
	// Logger receives what is wrong with the folder. Nil: nothing is logged.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Segment <= 0 {
		o.Segment = 8 << 20
	}
	if o.Size <= 0 {
		o.Size = 1 << 30
	}
	if o.Pending <= 0 {
		o.Pending = 8 << 20
	}
	if o.GiveUp <= 0 {
		o.GiveUp = 10 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// A Ticket stands for a commit. Tickets count up. 0 stands for nothing that could be awaited.
type Ticket uint64

// A Journal keeps events in a folder. It is safe for concurrent use.
type Journal struct {
	o   Options
	log *log // of the goroutine that commits

	mu      sync.Mutex
	mem     *memory
	queue   []*commit // oldest first; the last one is still open
	free    []*commit
	ticket  Ticket // of the last one
	pending int    // bytes of all of them
	room    chan struct{}
	view    view
	changed chan struct{} // closed when view changes
	health  Health
	wake    chan struct{}
	urgent  bool
}

// A commit gathers what is written together.
type commit struct {
	writer
	ticket Ticket
	since  time.Time // when its first record came
}

// Open opens the journal in a folder, which is made if it is not there, and reads its newest segment. It writes nothing.
func Open(dir string, o Options) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("journal: the folder cannot be made: %w", err)
	}
	return openFolder(directory(dir), o)
}

func openFolder(dir folder, o Options) (*Journal, error) {
	o = o.withDefaults()
	j := &Journal{o: o, mem: newMemory(), wake: make(chan struct{}, 1), changed: make(chan struct{})}
	var p parser
	var unread error
	log, st, err := open(dir, o.Segment, int(o.Size/o.Segment), func(f *frame) error {
		j.mem.begin(f)
		unread = errors.Join(unread, p.read(f, f.content, j.mem))
		return nil
	}, func(snapshot *frame) {
		unread = errors.Join(unread, p.read(snapshot, snapshot.content, j.mem))
	})
	if err != nil {
		return nil, err
	}
	for _, err := range append(st.trouble, unread) {
		if err != nil {
			o.Logger.Warn("a part of the journal cannot be read", "error", err)
		}
	}
	for _, h := range st.holes {
		o.Logger.Warn("events of the journal are lost", "from", h.from, "to", h.to-1)
	}
	j.log = log
	log.snapshot = func() []byte { // of the goroutine that commits, which alone changes mem
		return j.mem.snapshot()
	}
	j.view = log.view(dir)
	return j, nil
}

// A Group gathers events and marks that are committed together. Its methods are for one goroutine. It is used again.
type Group struct {
	j      *Journal
	events []Event
	marks  []Mark
	data   []byte
}

// A Mark is the state of something, such as a device's link, that belongs to the events with which it is committed.
type Mark struct {
	Key   string
	State []byte // empty: there is none any more
}

// NewGroup returns an empty group.
func (j *Journal) NewGroup() *Group { return &Group{j: j} }

// Add adds an event. Its data is copied.
func (g *Group) Add(e Event) {
	e.Data = g.copy(e.Data)
	g.events = append(g.events, e)
}

// Mark adds a mark. The state is copied.
func (g *Group) Mark(key string, state []byte) { g.marks = append(g.marks, Mark{key, g.copy(state)}) }

// Empty reports whether nothing was added since the group was made, given to a commit or emptied.
func (g *Group) Empty() bool { return len(g.events)+len(g.marks) == 0 }

// Discard empties the group.
func (g *Group) Discard() {
	clear(g.events)
	clear(g.marks)
	g.events, g.marks, g.data = g.events[:0], g.marks[:0], g.data[:0]
}

func (g *Group) copy(b []byte) []byte {
	start := len(g.data)
	g.data = append(g.data, b...) // what was copied before stays valid where it was
	return g.data[start:len(g.data):len(g.data)]
}

// Append gives the group to the next commit, and empties it. It neither waits nor calls anything. An empty group has no ticket.
func (g *Group) Append(urgent bool) Ticket {
	if g.Empty() {
		return 0
	}
	size := 64 * len(g.marks)
	for i := range g.events {
		size += 64 + len(g.events[i].Data) + len(g.events[i].Sender) + len(g.events[i].Event)
	}
	for i := range g.marks {
		size += len(g.marks[i].Key) + len(g.marks[i].State)
	}
	j := g.j
	j.mu.Lock()
	c := j.last(size)
	before := len(c.content)
	for i := range g.events {
		c.event(&g.events[i])
	}
	for i := range g.marks {
		c.mark(g.marks[i].Key, g.marks[i].State)
	}
	j.pending += len(c.content) - before
	j.urgent = j.urgent || urgent
	ticket := c.ticket
	j.mu.Unlock()
	g.Discard()
	j.notify()
	return ticket
}

// last returns the commit that is open, with room for so many bytes. The lock is held.
func (j *Journal) last(size int) *commit {
	if n := len(j.queue); n > 0 && len(j.queue[n-1].content)+size <= j.log.maxFrame() {
		return j.queue[n-1]
	}
	c := new(commit)
	if n := len(j.free); n > 0 {
		c, j.free = j.free[n-1], j.free[:n-1]
	}
	c.reset()
	j.ticket++
	c.ticket, c.since = j.ticket, time.Now()
	j.queue = append(j.queue, c)
	return c
}

func (j *Journal) notify() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// Oldest returns since when the oldest record waits to be committed; the zero time if none does.
func (j *Journal) Oldest() time.Time {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.queue) == 0 {
		return time.Time{}
	}
	return j.queue[0].since
}

// Room returns a channel that is closed when less waits to be committed than may; nil if that is so already. Whoever adds events
// waits for it first: that is what bounds the memory of a journal whose disk is slow.
func (j *Journal) Room() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.pending < j.o.Pending {
		return nil
	}
	if j.room == nil {
		j.room = make(chan struct{})
	}
	return j.room
}

// State returns a copy of the state that a key was marked with last, as far as that is committed; nil if it has none.
func (j *Journal) State(key string) []byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.mem.marks[key])
}

// Cursor returns the position up to which the owner of a cursor has acknowledged events.
func (j *Journal) Cursor(name string) (p Position, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	p, ok = j.mem.cursors[name]
	return p, ok
}

// Cursors returns all cursors.
func (j *Journal) Cursors() map[string]Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.mem.cursors)
}

// SetCursor notes how far the owner of a cursor has acknowledged events; the zero Position removes the cursor. It goes with the
// next commit, for which a cursor alone does not hurry.
func (j *Journal) SetCursor(name string, p Position) Ticket {
	j.mu.Lock()
	c := j.last(64 + len(name))
	before := len(c.content)
	c.cursor(name, p)
	j.pending += len(c.content) - before
	ticket := c.ticket
	j.mu.Unlock()
	j.notify()
	return ticket
}
