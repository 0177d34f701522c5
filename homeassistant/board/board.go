package board

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"sighub/carrier"
	"sighub/carrier/local"
	"sighub/homeassistant"
	"sighub/hub"
	"sighub/hub/verb"
	"sighub/internal/lockrank"
	"sighub/internal/mqtt/shelf"
	"sighub/internal/mqtt/topic"
)

// Options configure a [Board]. Zero values are defaults, but for the Plan of Announcer.
type Options struct {
	// Announcer is what all identities have in common. Its Topics, File, Takes, Asks and Unkept are the Board's, and the hub's ID.
	Announcer homeassistant.AnnouncerOptions
	// Place is called when somebody has asked. It returns what tells the hub from others, and the folder where it is remembered what was
	// announced; empty: nowhere.
	Place func() (hubID, folder string, err error)
	// Every is how often the state at a topic changes at the most: once a second by default.
	Every time.Duration
	// Budget bounds the memory of what is kept. Nil: nothing does.
	Budget *carrier.Budget
	Logger *slog.Logger // nil: nothing is logged
}

// maxShelves is for how many identities there are shelves.
const maxShelves = 16

// maxState is how many bytes a state may have: larger ones are left out, as nobody could show them.
const maxState = 64 << 10

// topics are those at the hub's own port.
var topics = homeassistant.Topics{Prefix: topic.Now, Bare: true}

// A Board keeps what Home Assistant is told. Make one with [New]. It is a carrier, which the hub serves.
type Board struct {
	o     Options
	log   *slog.Logger
	local *local.Hub
	hub   *hub.ClientRouter

	asked   chan struct{}    // somebody has asked for a shelf that is not filled yet
	unsaved chan struct{}    // what clients announce is not written down yet
	account *carrier.Account // of what they announce
	policy  atomic.Pointer[verb.Policy]

	loading sync.Mutex // is had by whoever reads what clients have announced; it has no rank: nobody waits for it with a lock

	mu      lockrank.Mutex[lockrank.Leaf]
	own     []string
	last    bool
	shelves map[string]*filler // by identity
	waiting []*filler          // to be filled
	notices notices
}

// New returns a Board.
func New(o Options) *Board {
	o.Every = cmp.Or(max(o.Every, 0), time.Second)
	log := lockrank.Logger(cmp.Or(o.Logger, slog.New(slog.DiscardHandler)))
	return &Board{
		o: o, log: log, local: local.NewHub(local.Options{Identity: carrier.OwnIdentity, Logger: log}),
		hub: hub.NewClientRouter(hub.ClientOptions{}), asked: make(chan struct{}, 1), shelves: make(map[string]*filler),
		unsaved: make(chan struct{}, 1), account: o.Budget.Open("homeassistant"), notices: notices{list: make(map[string]*notice)},
	}
}

// Ready says, before the hub is served, which senders of its own it is configured to have: see [homeassistant.Announcer.Own]. last has the
// last values told at the beginning: the hub keeps a journal.
func (b *Board) Ready(own []string, last bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.own, b.last = own, last
}

// SetPolicy says who may hear what from now on; nil: everybody everything.
func (b *Board) SetPolicy(p verb.Policy) {
	b.policy.Store(&p)
	b.mu.Lock()
	list := make([]*filler, 0, len(b.shelves))
	for _, f := range b.shelves {
		list = append(list, f)
	}
	b.mu.Unlock()
	for _, f := range list {
		f.review()
	}
}

// may reports whether an identity may do something. An empty sender or name is any.
func (b *Board) may(identity string, v verb.Verb, sender, name string) bool {
	p := b.policy.Load()
	if p == nil || *p == nil || identity == carrier.OwnIdentity {
		return true
	}
	ok, _ := (*p).May(identity, v, sender, name)
	return ok
}

// errMany is the error of Shelf when there are too many identities.
var errMany = fmt.Errorf("%w: there are too many identities that ask for what is announced: %d at a time", carrier.ErrLimit, maxShelves)

// Shelf returns what an identity may see. It is filled before long, and from then on. changed is called after each change, by whoever makes
// it, until leave is called.
func (b *Board) Shelf(identity string, changed func()) (s *shelf.Shelf, leave func(), err error) {
	if !b.may(identity, verb.Listen, "", "") {
		return nil, nil, fmt.Errorf("%w: it may not hear anything", carrier.ErrDenied)
	}
	f, err := b.filler(identity)
	if err != nil {
		return nil, nil, err
	}
	stop := f.shelf.Watch(changed)
	return f.shelf, func() {
		stop()
		b.mu.Lock()
		f.users--
		b.mu.Unlock()
	}, nil
}

// filler returns that of an identity, with one more user.
func (b *Board) filler(identity string) (*filler, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.shelves[identity]
	if f == nil {
		if len(b.shelves) >= maxShelves && !b.dropIdle() {
			return nil, errMany
		}
		f = newFiller(b, identity)
		b.shelves[identity] = f
		b.waiting = append(b.waiting, f)
		select {
		case b.asked <- struct{}{}:
		default:
		}
	}
	f.users++
	return f, nil
}

// dropIdle drops a shelf that nobody looks at, and reports whether there was one. The lock is held.
func (b *Board) dropIdle() bool {
	for identity, f := range b.shelves {
		if f.users == 0 {
			close(f.stopped)
			delete(b.shelves, identity)
			return true
		}
	}
	return false
}

// Serve implements [carrier.Carrier].
func (b *Board) Serve(ctx context.Context, h carrier.Handler) error {
	var running sync.WaitGroup
	running.Go(func() { b.run(ctx) })
	running.Go(func() { b.keepNotices(ctx) })
	err := b.local.Serve(ctx, h)
	running.Wait()
	b.account.Close()
	return err
}

// Transmit implements [carrier.Carrier].
func (b *Board) Transmit(ctx context.Context, id carrier.ClientID, m *carrier.Message, done func(carrier.Reply, error)) error {
	return b.local.Transmit(ctx, id, m, done)
}

// run fills the shelves that are asked for until ctx is done. It becomes a client of the hub with the first one.
func (b *Board) run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	connected := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.asked:
		}
		if !connected {
			connected = true
			running.Go(func() { _ = b.hub.Serve(ctx, b.local.NewPeer("homeassistant")) }) // it ends with ctx
		}
		b.mu.Lock()
		list := b.waiting
		b.waiting = nil
		b.mu.Unlock()
		for _, f := range list {
			running.Go(func() { f.run(ctx) })
		}
	}
}

// file returns where it is remembered what an identity was told.
func file(folder, identity string) string {
	if folder == "" {
		return ""
	}
	name := homeassistant.Level(identity)
	if len(name) > 100 {
		sum := sha256.Sum256([]byte(identity))
		name = hex.EncodeToString(sum[:])
	}
	if identity == "" {
		return filepath.Join(folder, "port.json")
	}
	return filepath.Join(folder, "port-"+name+".json")
}

var errStopped = errors.New("board: nobody looks at it any more")
