package audit

import (
	"errors"
	"io"
	"sync"
	"time"

	"sighub/internal/lockrank"
)

// Options say where records go. Zero values are defaults.
type Options struct {
	File   string    // empty: Writer
	Size   int64     // of a file, in bytes, before the next one begins: 10 MiB by default
	Files  int       // how many there are at most, with the one that is written: 5 by default
	Writer io.Writer // if File is empty
	// Failed is called when records could not be written, once a minute at most, from the goroutine that writes.
	Failed func(err error)
}

// What is recorded in a minute; the rest is counted.
const (
	PerSource = 10  // of one event and cause, from one source
	PerCause  = 120 // of one event and cause, from all
	maxCauses = 64  // beyond these, causes are counted together
	window    = time.Minute
)

// maxQueued is how many records wait to be written.
const maxQueued = 1024

// A Log takes records. Its methods may be called from any goroutine. A nil Log takes none.
type Log struct {
	out    sink
	failed func(error)
	queue  chan []byte
	done   sync.WaitGroup

	mu     lockrank.Mutex[lockrank.Leaf]
	closed bool
	counts map[counted]*count
	lost   int // records that could not be written, or found no place in the queue
}

// A sink is where lines go.
type sink interface {
	Write(line []byte) (int, error)
	Close() error
}

// counted is what is limited together.
type counted struct {
	event          Event
	verdict, cause string
}

// A count is how many records there were in this minute.
type count struct {
	passed  int
	sources map[string]int // of those that passed
	left    int
	from    string // the source of one that was left out
}

// Open begins a Log. A file that cannot be opened is an error.
func Open(o Options) (*Log, error) {
	l := &Log{failed: o.Failed, queue: make(chan []byte, maxQueued), counts: make(map[counted]*count)}
	switch {
	case o.File != "":
		f, err := openFile(o.File, o.Size, o.Files)
		if err != nil {
			return nil, err
		}
		l.out = f
	case o.Writer != nil:
		l.out = writer{o.Writer}
	default:
		return nil, errors.New("the audit has neither a file nor a writer: name one")
	}
	l.done.Go(l.run)
	return l, nil
}

type writer struct{ io.Writer }

func (writer) Close() error { return nil }

// Record records something, unless there was too much of it. It never waits.
func (l *Log) Record(r Record) {
	if l == nil {
		return
	}
	if r.Time.IsZero() {
		r.Time = time.Now()
	}
	if !l.passes(&r) {
		return
	}
	line, err := r.line()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil || l.closed {
		l.lost++
		return
	}
	select {
	case l.queue <- line:
	default:
		l.lost++
	}
}

// passes reports whether a record is written, and counts it. What changes who may do what always is.
func (l *Log) passes(r *Record) bool {
	if r.Event == Policy || r.Event == Missing {
		return true
	}
	source := r.source()
	l.mu.Lock()
	defer l.mu.Unlock()
	key := counted{r.Event, r.Verdict, harmless(r.Cause, longestText)}
	c := l.counts[key]
	if c == nil && len(l.counts) >= maxCauses {
		key.cause = "other"
		c = l.counts[key]
	}
	if c == nil {
		c = &count{sources: make(map[string]int)}
		l.counts[key] = c
	}
	if c.passed >= PerCause || c.sources[source] >= PerSource {
		c.left++
		c.from = source
		return false
	}
	c.passed++
	c.sources[source]++
	return true
}

// run writes what is queued, and once a minute what was left out.
func (l *Log) run() {
	var due <-chan time.Time // when it is told what was left out: something is written first
	var told time.Time
	write := func(line []byte, times int) {
		if due == nil {
			due = time.After(window)
		}
		if _, err := l.out.Write(line); err != nil {
			l.mu.Lock()
			l.lost += times
			l.mu.Unlock()
			if now := time.Now(); l.failed != nil && (told.IsZero() || now.Sub(told) >= window) {
				told = now
				l.failed(err)
			}
		}
	}
	tell := func() {
		for _, r := range l.missing() {
			if line, err := r.line(); err == nil {
				write(line, r.Times)
			}
		}
	}
	for {
		select {
		case line, ok := <-l.queue:
			if !ok {
				tell()
				return
			}
			write(line, 1)
		case <-due:
			due = nil
			tell()
		}
	}
}

// missing returns the records about what was left out, and begins to count anew.
func (l *Log) missing() (list []Record) {
	l.mu.Lock()
	counts, lost := l.counts, l.lost
	l.counts, l.lost = make(map[counted]*count), 0
	l.mu.Unlock()
	now := time.Now()
	for key, c := range counts {
		if c.left > 0 {
			list = append(list, Record{Time: now, Event: Missing, Verdict: key.verdict, From: c.from, Cause: key.cause, Times: c.left,
				Detail: "left out of " + string(key.event) + ", because there was too much of it; the last was from this source"})
		}
	}
	if lost > 0 {
		list = append(list, Record{Time: now, Event: Missing, Cause: "lost", Times: lost, Detail: "these could not be written"})
	}
	return list
}

// Close writes what is queued, and ends the Log. Records that come later are not taken.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	close(l.queue) // nobody sends without the lock
	l.mu.Unlock()
	l.done.Wait()
	return l.out.Close()
}
