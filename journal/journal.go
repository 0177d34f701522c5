package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sighub/journal/folder"
	"sighub/journal/internal/rollup"
)

// Options are those of a Journal. Zero values are defaults.
type Options struct {
	// Size is how many bytes everything may have together: 1 GiB by default, and never more than a tenth of the disk. The oldest
	// events go when they are used up.
	Size int64
	// Age is how long events are kept, if Size allows; 0: there is no limit. Whole segments go, so some events stay longer: a
	// quarter of Age at most. None goes while the clock is not set. Sums of numbers stay: see [Journal.Rollup].
	Age time.Duration
	// Segment is the size of a segment: 8 MiB by default, or less on a small disk.
	Segment int64
	// Pending is how many bytes may wait to be committed: 8 MiB by default. See [Journal.Room].
	Pending int
	Pace    PaceOptions
	// GiveUp is how long a journal that cannot write keeps what waits, before it tells that it is not durable: 10 s by default.
	// Negative: for ever.
	GiveUp time.Duration
	// Logger receives what is wrong with the folder. Nil: nothing is logged.
	Logger *slog.Logger
	// Now is the clock that says how old segments are; nil: time.Now. It is for tests of clocks that are wrong.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	if o.Size <= 0 {
		o.Size = 1 << 30
	}
	if o.Segment <= 0 {
		o.Segment = 8 << 20
	}
	if o.Pending <= 0 {
		o.Pending = 8 << 20
	}
	if o.GiveUp == 0 {
		o.GiveUp = 10 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// smallestSegment is the size below which a segment does not become on a small disk.
const smallestSegment = 256 << 10

// fit makes everything at most a tenth of the disk.
func (o *Options) fit(dir folder.Folder) {
	if total, _, err := dir.Space(); err == nil && total > 0 {
		o.Size = min(o.Size, total/10)
	}
	for o.Segment > smallestSegment && o.Size/o.Segment < 8 {
		o.Segment /= 2
	}
	o.Segment = aligned(o.Segment)
}

// A Ticket stands for a commit. Tickets count up. 0 stands for nothing that could be awaited.
type Ticket uint64

// A Journal keeps events in a folder. It is safe for concurrent use.
type Journal struct {
	o     Options
	dir   folder.Folder
	log   *log // of the goroutine that commits, as is clock
	clock *clock
	lock  io.Closer

	interrupted bool // it had not ended in order when it was opened

	mu      sync.Mutex
	queue   []*commit // oldest first; the last one is still open
	writing *commit
	free    []*commit
	ticket  Ticket // of the last one
	pending int    // bytes of all of them
	room    chan struct{}
	health  Health
	changed chan struct{} // closed when more can be read; nil: nobody waits
	wake    chan struct{}
	hurry   bool // somebody waits for Sync
	need    need // of the queue

	ended atomic.Uint64 // ticket
	begun bool          // something was committed; of the goroutine that commits

	tends      chan struct{}
	stopped    chan struct{} // closed at the end of Serve
	wantsSpare atomic.Bool
	useless    []string // files, to be removed
	view       atomic.Pointer[view]

	memMu sync.RWMutex
	mem   *memory
	order atomic.Pointer[order]
}

// Open opens the journal in a folder, which is made if it is not there, and reads its newest segment. It writes nothing else.
// Another process cannot open the journal until this one has closed it or has ended.
func Open(dir string, o Options) (*Journal, error) {
	d := folder.Directory(dir)
	if err := d.Make(); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	return OpenFolder(d, o)
}

// OpenFolder is [Open] for any kind of folder.
func OpenFolder(dir folder.Folder, o Options) (*Journal, error) {
	lock, err := dir.Lock()
	if err != nil {
		return nil, fmt.Errorf("journal: it cannot be opened: %w", err)
	}
	j, err := open(dir, o, false, planted())
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	j.lock = lock
	return j, nil
}

// OpenReadOnly opens a journal to be read, also while a hub has it: as it is now. The folder stays as it is. Serve must not be called, and
// nothing can be appended.
func OpenReadOnly(dir string, o Options) (*Journal, error) {
	d := folder.Directory(dir)
	if _, err := d.List(); err != nil {
		return nil, fmt.Errorf("journal: it cannot be opened: %w", err)
	}
	j, err := open(d, o, true, planted())
	for again := 0; errors.Is(err, fs.ErrNotExist) && again < 10; again++ { // the hub has begun a segment meanwhile
		j, err = open(d, o, true, planted())
	}
	return j, err
}

func open(dir folder.Folder, o Options, readOnly bool, fs faults) (*Journal, error) {
	o = o.withDefaults()
	o.fit(dir)
	j := &Journal{o: o, dir: dir, wake: make(chan struct{}, 1), tends: make(chan struct{}, 1), stopped: make(chan struct{})}
	j.log = &log{dir: dir, size: o.Segment, most: max(2, int((o.Size-o.Size/sumsPart)/o.Segment)), now: o.Now, readOnly: readOnly, faults: fs}
	j.mem = newMemory(boundsOf(j.log.maxState()))
	var troubles []error
	j.mem.runs, j.useless, troubles = rollup.Load(dir)
	j.mem.table = rollup.NewTable(max(1, j.mem.runs.End()))
	j.mem.full = j.tendSoon
	var unread error
	st, err := j.log.open(func(f *frame) {
		unread = errors.Join(unread, j.mem.read(f))
	})
	if err != nil {
		return nil, err
	}
	j.checkSums()
	for _, err := range slices.Concat(troubles, st.trouble, []error{unread}) {
		if err != nil {
			o.Logger.Warn("a part of the journal cannot be read", "error", err)
		}
	}
	for _, h := range st.holes {
		o.Logger.Warn("events of the journal are lost", "from", h.from, "to", h.to-1)
	}
	j.interrupted = j.log.dirty && len(j.log.kept) > 0
	j.log.snapshot = j.mem.snapshot // of the goroutine that commits, which alone changes it
	v := j.log.view()
	j.view.Store(v)
	j.clock = newClock(o.Now)
	if n := len(v.kept); n > 0 {
		j.clock = newClock(o.Now, v.kept[n-1].began, v.times.max)
	}
	return j, nil
}

// checkSums forgets sums of events that are not there any more because the disk has lost them.
func (j *Journal) checkSums() {
	for _, r := range j.mem.runs {
		if _, back := j.mem.resolve(Position{r.Epoch, r.To}, j.log.epoch, j.log.next); back > 0 {
			j.mem.runs = j.mem.runs.Without(r)
			j.useless = append(j.useless, r.Name())
		}
	}
	if t := j.mem.table; t.From > j.log.next || t.To > j.log.next {
		j.mem.table = rollup.NewTable(j.log.next)
	}
}

// Close closes a journal that is not served.
func (j *Journal) Close() error {
	err := j.log.giveUp()
	if j.lock != nil {
		err = errors.Join(err, j.lock.Close())
	}
	return err
}

func (j *Journal) notify() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
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

// Committed returns the latest ticket that has ended: it and all before it are on disk or given up.
func (j *Journal) Committed() Ticket { return Ticket(j.ended.Load()) }

// Oldest returns since when the oldest record waits to be committed; the zero time if none does.
func (j *Journal) Oldest() time.Time {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.writing != nil:
		return j.writing.since
	case len(j.queue) > 0:
		return j.queue[0].since
	}
	return time.Time{}
}

// End returns the position of the event that is committed next.
func (j *Journal) End() Position {
	v := j.view.Load()
	return Position{v.epoch, v.next}
}

// LatestConnection returns the highest number of a connection that an event on record has had, whether or not the event is still
// there; 0 if there was none.
func (j *Journal) LatestConnection() uint64 {
	j.memMu.RLock()
	defer j.memMu.RUnlock()
	return j.mem.connection
}

// State returns a copy of the state that a key was marked with last, as far as that is committed; nil if it has none.
func (j *Journal) State(key string) []byte {
	j.memMu.RLock()
	defer j.memMu.RUnlock()
	if state := j.mem.marks.get(key); state != nil {
		return append([]byte(nil), *state...)
	}
	return nil
}

// Interrupted reports whether the journal had not ended in order when it was opened: the power was cut, or the program killed.
func (j *Journal) Interrupted() bool { return j.interrupted }

// Cursor returns the position of the last event that the owner of a cursor has acknowledged.
func (j *Journal) Cursor(name string) (p Position, ok bool) {
	j.memMu.RLock()
	defer j.memMu.RUnlock()
	if at := j.mem.cursors.get(name); at != nil {
		return *at, true
	}
	return p, false
}

// Cursors returns all cursors.
func (j *Journal) Cursors() map[string]Position {
	j.memMu.RLock()
	defer j.memMu.RUnlock()
	all := make(map[string]Position, len(j.mem.cursors.items))
	j.mem.cursors.all(func(name string, p *Position) { all[name] = *p })
	return all
}
