package journal

import "time"

// A commit gathers what is written together.
type commit struct {
	writer
	ticket Ticket
	since  time.Time // when its first record came
	by     time.Time // when somebody needs it on disk; zero: nobody does
}

// A Group gathers events and marks that are committed together. Its methods are for one goroutine. It is used again.
type Group struct {
	j      *Journal
	topics map[Topic]int
	names  []grouped // of the topics, by their numbers
	latest int       // number of the topic that was added last
	events []added
	marks  []Mark
	data   []byte
	size   int // that the records have at most

	ticket Ticket // of the commit to which the numbers in names belong
}

// A grouped is a topic of a group.
type grouped struct {
	Topic
	number int // in the commit, as counted from 1; 0: it has none there yet
	next   int // number of the topic that followed the last time: a device reports its events in turn
}

// An added is an event of a group.
type added struct {
	topic, length   int
	json            bool
	connection, seq uint64
	time            int64
	uncertainty     int64
}

// A Mark is the state of something, such as a device's link, that belongs to the events with which it is committed.
type Mark struct {
	Key   string
	State []byte // empty: the mark is removed
}

// maxTopics bounds how many topics a group remembers.
const maxTopics = 256

// NewGroup returns an empty group.
func (j *Journal) NewGroup() *Group { return &Group{j: j} }

// Add adds an event. Its data is copied.
func (g *Group) Add(e Event) {
	n := g.topic(&e)
	g.events = append(g.events, added{n, len(e.Data), e.JSON, e.Connection, e.Seq, e.Time, max(e.Uncertainty, 0)})
	g.data = append(g.data, e.Data...)
	g.size += overhead + len(e.Data) + len(e.Sender) + len(e.Topic.Event)
}

// topic returns the number of an event's topic in the group.
func (g *Group) topic(e *Event) int {
	if g.latest < len(g.names) {
		before := &g.names[g.latest]
		if g.names[before.next].Topic == e.Topic {
			g.latest = before.next
			return g.latest
		}
	}
	n, ok := g.topics[e.Topic]
	if !ok {
		if g.topics == nil {
			g.topics = make(map[Topic]int)
		}
		n = len(g.names)
		g.names = append(g.names, grouped{Topic: e.Topic, next: n})
		g.topics[e.Topic] = n
	}
	if g.latest < len(g.names) {
		g.names[g.latest].next = n
	}
	g.latest = n
	return n
}

// Mark adds a mark. The state is copied.
func (g *Group) Mark(key string, state []byte) {
	g.marks = append(g.marks, Mark{key, append([]byte(nil), state...)})
	g.size += overhead + len(key) + len(state)
}

// Len returns how many events and marks the group has.
func (g *Group) Len() int { return len(g.events) + len(g.marks) }

// Append gives the group to the next commit, and empties it. It neither waits nor calls anything. An empty group has no ticket.
// Within is how long whoever waits for the commit can do without it; 0: as long as it takes. It is made in time if the disk is fast
// enough, and at most one each [PaceOptions].Urgent.
//
// What is larger than half a segment cannot be kept: its commit ends as one that is not durable.
func (g *Group) Append(within time.Duration) Ticket { return g.append(needAnswer, within) }

// AppendUnawaited appends what nobody waits for: the ticket is of no use. It does not hurry, so that it goes with what comes next.
func (g *Group) AppendUnawaited() { g.append(needEvent, 0) }

func (g *Group) append(n need, within time.Duration) Ticket {
	if g.Len() == 0 {
		return 0
	}
	j := g.j
	j.mu.Lock()
	c := j.last(g.size)
	before := len(c.content)
	g.write(c)
	j.pending += len(c.content) - before
	j.need = max(j.need, n)
	if within > 0 {
		c.by = sooner(c.by, time.Now().Add(within))
	}
	ticket := c.ticket
	j.mu.Unlock()
	g.Discard()
	j.notify()
	return ticket
}

func (g *Group) write(c *commit) {
	if g.ticket != c.ticket {
		for i := range g.names {
			g.names[i].number = 0
		}
		g.ticket = c.ticket
	}
	data := g.data
	var e Event
	for i := range g.events {
		a := &g.events[i]
		t := &g.names[a.topic]
		if t.number == 0 {
			t.number = c.name(t.Topic) + 1
		}
		e.Connection, e.Seq, e.Time, e.Uncertainty, e.JSON, e.Data = a.connection, a.seq, a.time, a.uncertainty, a.json, data[:a.length]
		data = data[a.length:]
		c.numbered(t.number-1, &e)
	}
	for i := range g.marks {
		c.mark(g.marks[i].Key, g.marks[i].State)
	}
}

// Discard empties the group. It keeps a little memory to be used again.
func (g *Group) Discard() {
	clear(g.marks)
	g.events, g.marks, g.data, g.size = g.events[:0], g.marks[:0], g.data[:0], 0
	if cap(g.data) > longestBuffer/8 || cap(g.events) > 2<<10 {
		g.data, g.events = nil, nil
	}
	if len(g.names) > maxTopics {
		g.topics, g.names, g.latest = nil, nil, 0
	}
}

// longestJoined is how long a commit of several groups is at most: whoever reads one has all of it in memory. A disk that needs 10 ms for
// each still takes a million small events a second.
const longestJoined = longestBuffer

// last returns the commit that is open, with room for so many bytes. The lock is held.
func (j *Journal) last(size int) *commit {
	if n := len(j.queue); n > 0 && len(j.queue[n-1].content)+size <= min(longestJoined, j.log.maxFrame()) {
		return j.queue[n-1]
	}
	var c *commit
	if n := len(j.free); n > 0 {
		c, j.free = j.free[n-1], j.free[:n-1]
	} else {
		c = new(commit)
	}
	c.reset()
	j.ticket++
	c.ticket, c.since, c.by = j.ticket, time.Now(), time.Time{}
	j.queue = append(j.queue, c)
	return c
}

// recycle keeps the memory of a commit for another one, if it is not much. The lock is held.
func (j *Journal) recycle(c *commit) {
	if len(j.free) < 2 && cap(c.content) <= longestBuffer && len(c.topics) <= maxTopics {
		j.free = append(j.free, c)
	}
}

// SetCursor notes which event the owner of a cursor has acknowledged last; the zero Position removes the cursor. It goes with the
// next commit, for which a cursor alone does not hurry.
func (j *Journal) SetCursor(name string, p Position) Ticket {
	j.mu.Lock()
	c := j.last(overhead + len(name))
	before := len(c.content)
	c.cursor(name, p)
	j.pending += len(c.content) - before
	ticket := c.ticket
	j.mu.Unlock()
	j.notify()
	return ticket
}
