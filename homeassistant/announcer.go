package homeassistant

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"sighub/hub"
	"sighub/internal/lockrank"
)

// AnnouncerOptions are those of an Announcer. Zero values are defaults, but for the Plan.
type AnnouncerOptions struct {
	Plan Plan
	// File is where it is remembered what was announced, between runs of the hub; empty: nowhere, so it is never cleared.
	File string
	// Takes says which events are announced. Nil: all.
	Takes func(sender, event string) bool
	// Asks says which requests are announced. Nil: all.
	Asks func(sender, request string) bool
	// Unkept says that where announcements are published, nothing is kept over a start of the hub: so it is remembered what was cleared, for
	// those who were not there at the time: see Cleared.
	Unkept bool
	// Silent has nothing announced: only the states of what there is are known, and cleared.
	Silent bool
	// Interval says how often an event comes at least; 0: that is not known. Nil: it is known of none.
	Interval func(sender, event string) time.Duration
	// Forget is after what time without a sender it is removed: 30 days by default.
	Forget time.Duration
	// Jitter is the longest time to wait when Home Assistant has started, so that not all hubs answer it at once: 5 s by default.
	Jitter time.Duration
	Logger *slog.Logger     // nil: nothing is logged
	Now    func() time.Time // nil: time.Now
}

// An Announcer keeps Home Assistant informed of what a hub has. It hears the hub's events, and publishes when its owner calls Publish.
// It is safe for concurrent use, but for Publish and Clear, which are for one goroutine.
type Announcer struct {
	o   AnnouncerOptions
	log *slog.Logger

	changed chan struct{} // something is to be published

	mu        lockrank.Mutex[lockrank.Leaf]
	roster    roster
	published map[string]*published // what may be at the broker, by topic; of Publish, but for the file
	retained  map[string]bool       // topics of states that may be at the broker; likewise
	cleared   map[string]time.Time  // topics of announcements that were cleared, and when; likewise
	announced map[string]bool       // senders whose announcement was published
	again     time.Time             // when everything is to be published again; zero: it is not
	told      bool                  // that there are too many senders
	heard     map[string]bool       // senders that came or went while the hub was asked for a list; nil: it is not
}

// published is what was announced at a topic. Its fields are those of the file.
type published struct {
	Components map[string]string `json:"components,omitempty"`
	Gone       map[string]string `json:"gone,omitempty"` // removed, as far as it is told in the announcement
	Hash       string            `json:"hash,omitempty"` // of the payload
}

// A Broker is where announcements are published, at a broker or at the hub's own port. It keeps each for those who come later, and
// returns when it has it. An empty payload removes what is kept.
type Broker interface {
	Retain(ctx context.Context, topic string, payload []byte) error
}

// maxGone is how many parts of a device that were removed are told in each of its announcements.
const maxGone = 64

// Batch is how long a change waits for others, so that a device that registers is announced once.
const Batch = 500 * time.Millisecond

// NewAnnouncer returns an Announcer that knows what one before it has left in the file.
func NewAnnouncer(o AnnouncerOptions) (*Announcer, error) {
	o.Plan.Prefix = cmp.Or(o.Plan.Prefix, DefaultPrefix)
	o.Forget = cmp.Or(max(o.Forget, 0), 30*24*time.Hour)
	o.Jitter = cmp.Or(max(o.Jitter, 0), 5*time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &Announcer{o: o, log: lockrank.Logger(cmp.Or(o.Logger, slog.New(slog.DiscardHandler))), changed: make(chan struct{}, 1)}
	a.announced = make(map[string]bool)
	m, err := load(o.File)
	if err != nil {
		return nil, err
	}
	a.published, a.retained = m.Published, make(map[string]bool)
	for _, topic := range m.Retained {
		a.retained[topic] = true
	}
	a.cleared = make(map[string]time.Time)
	if o.Unkept {
		maps.Copy(a.cleared, m.Cleared)
	}
	a.roster = roster{senders: make(map[string]*known), plan: &rosterOptions{takes: o.Takes, asks: o.Asks, forget: o.Forget}}
	for _, s := range m.Senders {
		if s.Came.IsZero() { // an older version has written it
			s.Came = s.Seen
		}
		a.roster.senders[s.Name] = s
	}
	a.roster.review()
	a.roster.tidy(o.Now())
	return a, nil
}

// Own says which senders the hub itself is configured to have. Others that it had before are removed, unless they come soon.
func (a *Announcer) Own(senders []string) {
	a.mu.Lock()
	a.roster.plan.own = append([]string{}, senders...)
	a.mu.Unlock()
	a.change()
}

// Review has Takes and Asks asked again, as they may answer otherwise now. What they allow that they did not before is announced when it
// is listed, or connects.
func (a *Announcer) Review() {
	a.mu.Lock()
	a.roster.review()
	a.mu.Unlock()
	a.change()
}

// Cleared returns the topics of announcements that were cleared, as far as it is remembered: see Unkept.
func (a *Announcer) Cleared() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.DeleteFunc(sortedKeys(a.cleared), func(topic string) bool { return a.published[topic] != nil })
}

// Changed is sent to when something is to be published.
func (a *Announcer) Changed() <-chan struct{} { return a.changed }

func (a *Announcer) change() {
	select {
	case a.changed <- struct{}{}:
	default:
	}
}

// Listing notes that the hub is asked for a list of its senders, while its events are heard already.
func (a *Announcer) Listing() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.heard = make(map[string]bool)
}

// Listed notes which senders there were when Listing was called. What was heard since is newer.
func (a *Announcer) Listed(list []hub.SenderInfo) {
	now := a.o.Now()
	a.mu.Lock()
	there := a.heard
	if there == nil {
		there = make(map[string]bool)
	}
	a.heard = nil
	for i := range list {
		if s := &list[i]; s.Connected && !there[s.Name] {
			there[s.Name] = true
			a.roster.connected(knownOf(s.Name, s.Events, s.Units, s.Requests, s.Client), now)
		}
	}
	for name, s := range a.roster.senders {
		if s.connected && !there[name] {
			a.roster.disconnected(name, "", now)
		}
	}
	a.mu.Unlock()
	a.change()
}

// Heard notes an event of the hub, whose data this is in JSON. It hears all events of all senders.
func (a *Announcer) Heard(ev *hub.Event, data []byte) {
	var c hub.Connection
	if ev.Name == hub.Gap || (ev.Name == hub.Connect || ev.Name == hub.Disconnect) && (ev.Last || ev.Data.Decode(&c) != nil) {
		return // a last #connect does not say that the sender is still there
	}
	now := a.o.Now()
	a.mu.Lock()
	var changed bool
	if a.heard != nil && (ev.Name == hub.Connect || ev.Name == hub.Disconnect) {
		a.heard[ev.Sender] = true
	}
	switch ev.Name {
	case hub.Connect:
		changed = a.roster.connected(knownOf(ev.Sender, c.Events, c.Units, c.Requests, c.Client), now)
	case hub.Disconnect:
		changed = a.roster.disconnected(ev.Sender, c.Reason, now)
	default:
		changed = a.roster.value(ev.Sender, ev.Name, kindOf(data))
	}
	tell := a.roster.full && !a.told
	a.told = a.told || tell
	a.mu.Unlock()
	if tell {
		a.log.Warn("not all senders are announced to Home Assistant: there are too many", "most", maxSenders, "sender", ev.Sender)
	}
	if changed {
		a.change()
	}
}

func knownOf(name string, events []string, units map[string]string, requests []*string, client *hub.ClientInfo) *known {
	s := &known{Name: name, Own: client == nil, Requests: named(requests)}
	if client != nil && client.UID != "" {
		s.UID, s.Device, s.client = client.UID, client.Name, client.ID
	}
	for _, event := range events {
		if !builtIn(event) {
			s.Events = append(s.Events, knownEvent{Name: event, Unit: units[event]})
		}
	}
	return s
}

// Online notes that Home Assistant has started, so that it is told everything again.
func (a *Announcer) Online() {
	a.mu.Lock()
	a.again = a.o.Now().Add(Batch + rand.N(a.o.Jitter))
	a.mu.Unlock()
	a.change()
}

// Announced reports whether the sender of an event is announced, and the event is one of its events: only then is its topic cleared
// when it has gone.
func (a *Announcer) Announced(sender, event string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.roster.senders[sender]
	return s != nil && a.announced[sender] && (event == "" || s.event(event) != nil)
}

// Known returns the topics of all that may be announced.
func (a *Announcer) Known() map[string]bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.roster.topics(a.o.Plan.Topics)
}

// Senders returns whether each sender is connected that is announced.
func (a *Announcer) Senders() map[string]bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := make(map[string]bool, len(a.roster.senders))
	for name, s := range a.roster.senders {
		if a.announced[name] {
			list[name] = s.connected
		}
	}
	return list
}

// Connections returns what has changed since it was called last with the same map: the senders that have connected, with true, and those that
// have gone, with false. said is what was returned before; it is brought up to date, and loses the senders that are not announced any more.
func (a *Announcer) Connections(said map[string]bool) (changed map[string]bool) {
	now := a.Senders()
	maps.DeleteFunc(said, func(sender string, _ bool) bool { _, there := now[sender]; return !there })
	maps.DeleteFunc(now, func(sender string, connected bool) bool { was, there := said[sender]; return there && was == connected })
	maps.Copy(said, now)
	return now
}

// A round is what one call of Publish does.
type round struct {
	clear    []string // topics
	announce map[string][]byte
	next     map[string]*published
	retained map[string]bool
	senders  []string
	wait     time.Duration
	differs  bool // the file does not say all of it
}

// Publish publishes what has changed, or everything, and returns after what time it is to be called again, at the latest. First it is
// written to the file what will be there, so that it can be cleared whatever happens.
func (a *Announcer) Publish(ctx context.Context, b Broker, everything bool) (wait time.Duration, err error) {
	r := a.round(everything)
	if r.differs {
		if err := a.save(r, true); err != nil {
			return 0, err
		}
	}
	for _, topic := range r.clear {
		if err := b.Retain(ctx, topic, nil); err != nil {
			return 0, fmt.Errorf("homeassistant: cannot clear %s: %w", topic, err)
		}
	}
	for _, topic := range sortedKeys(r.announce) {
		if err := b.Retain(ctx, topic, r.announce[topic]); err != nil {
			return 0, fmt.Errorf("homeassistant: cannot announce at %s: %w", topic, err)
		}
	}
	a.mu.Lock()
	if a.o.Unkept {
		a.note(r)
	}
	a.published, a.retained = r.next, r.retained
	clear(a.announced)
	for _, name := range r.senders {
		a.announced[name] = true
	}
	a.mu.Unlock()
	if r.differs && len(r.clear) > 0 {
		err = a.save(r, false)
	}
	return r.wait, err
}

// maxCleared is how many topics are remembered that were cleared.
const maxCleared = 1024

// note notes which announcements a round has cleared, and forgets those that were cleared long ago, or before many others. The lock is
// held.
func (a *Announcer) note(r *round) {
	now := a.o.Now()
	for topic := range a.published {
		if r.next[topic] == nil {
			a.cleared[topic] = now
		}
	}
	maps.DeleteFunc(a.cleared, func(topic string, at time.Time) bool { return r.next[topic] != nil || now.Sub(at) > a.o.Forget })
	for len(a.cleared) > maxCleared {
		oldest := ""
		for topic, at := range a.cleared {
			if oldest == "" || at.Before(a.cleared[oldest]) {
				oldest = topic
			}
		}
		delete(a.cleared, oldest)
	}
}

// round finds out what is to be done.
func (a *Announcer) round(everything bool) *round {
	now := a.o.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	next := a.roster.tidy(now)
	if !a.again.IsZero() && !a.again.After(now) {
		everything, a.again = true, time.Time{}
	}
	if !a.again.IsZero() && (next.IsZero() || a.again.Before(next)) {
		next = a.again
	}
	r := &round{announce: make(map[string][]byte), next: make(map[string]*published), retained: a.roster.topics(a.o.Plan.Topics), wait: time.Hour}
	if !next.IsZero() {
		r.wait = max(next.Sub(now), Batch)
	}
	var devices []Device
	if !a.o.Silent {
		devices = a.roster.devices(a.o.Interval)
	}
	for _, d := range devices {
		ann := a.o.Plan.Announce(&d)
		before := a.published[ann.Topic]
		gone := before.gone(ann.Components)
		data := ann.Payload(gone)
		p := &published{ann.Components, gone, hash(data)}
		if everything || before == nil || before.Hash != p.Hash {
			r.announce[ann.Topic] = data
		}
		r.differs = r.differs || before == nil || before.Hash != p.Hash
		r.next[ann.Topic] = p
	}
	for _, topic := range sortedKeys(a.published) {
		if r.next[topic] == nil {
			r.clear = append(r.clear, topic)
		}
	}
	for _, topic := range sortedKeys(a.retained) {
		if !r.retained[topic] {
			r.clear = append(r.clear, topic)
		}
	}
	r.differs = r.differs || len(r.clear) > 0 || !maps.Equal(r.retained, a.retained)
	r.senders = sortedKeys(a.roster.senders)
	return r
}

// gone returns what is to be removed of what was announced before. p may be nil.
func (p *published) gone(now map[string]string) map[string]string {
	if p == nil {
		return nil
	}
	all := maps.Clone(p.Gone)
	if all == nil {
		all = make(map[string]string)
	}
	for key := range now {
		delete(all, key)
	}
	fresh := 0
	for key, platform := range p.Components {
		if now[key] == "" {
			all[key], fresh = platform, fresh+1
		}
	}
	for _, key := range sortedKeys(all) { // the oldest are not known, so any of those that were told before
		if len(all) <= max(maxGone, fresh) {
			break
		}
		if p.Components[key] == "" {
			delete(all, key)
		}
	}
	return all
}

// Clear removes everything that was announced, and forgets it.
func (a *Announcer) Clear(ctx context.Context, b Broker) error {
	for _, topic := range append(sortedKeys(a.published), sortedKeys(a.retained)...) {
		if err := b.Retain(ctx, topic, nil); err != nil {
			return fmt.Errorf("homeassistant: cannot clear %s: %w", topic, err)
		}
	}
	return remove(a.o.File)
}

// save writes what is known to the file; with what was there before, if that is not cleared yet.
func (a *Announcer) save(r *round, before bool) error {
	if a.o.File == "" {
		return nil
	}
	m := memory{Published: maps.Clone(r.next)}
	retained := maps.Clone(r.retained)
	a.mu.Lock()
	if before {
		for topic, p := range a.published {
			if m.Published[topic] == nil {
				m.Published[topic] = p
			}
		}
		maps.Copy(retained, a.retained)
	}
	m.Cleared = maps.Clone(a.cleared)
	for _, name := range sortedKeys(a.roster.senders) {
		s := *a.roster.senders[name]
		s.Events = slices.Clone(s.Events)
		m.Senders = append(m.Senders, &s)
	}
	a.mu.Unlock()
	m.Retained = sortedKeys(retained)
	if err := m.save(a.o.File); err != nil {
		return fmt.Errorf("%w: %w", ErrMemory, err)
	}
	return nil
}

// ErrMemory is that of an [Announcer] whose file cannot be written. What is new is not announced until it can.
var ErrMemory = errors.New("homeassistant: what is announced cannot be remembered, so it is not announced: make room, or choose another folder with --state")

func hash(data []byte) string {
	h := fnv.New64a()
	_, _ = h.Write(data) // it never fails
	return strconv.FormatUint(h.Sum64(), 16)
}

// Status returns the topic on which Home Assistant says "online" when it has started.
func (a *Announcer) Status() string { return a.o.Plan.Status() }

// Announces reports whether something may be announced, since an Announcer before this one.
func (a *Announcer) Announces() bool { return len(a.published) > 0 || len(a.retained) > 0 }
