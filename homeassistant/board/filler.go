package board

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sighub/carrier"
	"sighub/homeassistant"
	"sighub/hub"
	"sighub/hub/verb"
	"sighub/internal/mqtt/shelf"
	"sighub/internal/mqtt/topic"
)

// A filler fills the shelf of an identity.
type filler struct {
	board    *Board
	identity string
	shelf    *shelf.Shelf
	account  *carrier.Account
	reviewed chan struct{} // somebody may hear other things than before
	news     chan struct{} // a client has announced something
	stopped  chan struct{} // closed when it is to end
	users    int           // guarded by the lock of the board

	announcer *homeassistant.Announcer
	states    *homeassistant.States
	told      bool                                // that something is not shown; of run
	noticed   map[string]*notice                  // what clients have announced, as it is on the shelf; of run
	tells     atomic.Pointer[map[string][]string] // the identities whose clients tell of a topic themselves
}

func newFiller(b *Board, identity string) *filler {
	account := b.o.Budget.Open("homeassistant")
	return &filler{
		board: b, identity: identity, shelf: shelf.New(account), account: account,
		reviewed: make(chan struct{}, 1), news: make(chan struct{}, 1), stopped: make(chan struct{}), noticed: make(map[string]*notice),
	}
}

// hears reports whether the identity may hear an event.
func (f *filler) hears(sender, event string) bool {
	return f.board.may(f.identity, verb.Listen, sender, event)
}

// announces reports whether the hub announces an event to the identity. What a client announces itself, and may trigger, it does not.
func (f *filler) announces(sender, event string) bool {
	if !f.hears(sender, event) {
		return false
	}
	tells := f.tells.Load()
	return tells == nil || !slices.ContainsFunc((*tells)[topic.Of(sender, event)], func(identity string) bool {
		return f.board.may(identity, verb.Trigger, sender, event)
	})
}

// renew has what clients announce looked at again.
func (f *filler) renew() {
	select {
	case f.news <- struct{}{}:
	default:
	}
}

// review has rights looked at again.
func (f *filler) review() {
	select {
	case f.reviewed <- struct{}{}:
	default:
	}
}

// run fills the shelf until ctx is done, or the filler is stopped.
func (f *filler) run(ctx context.Context) {
	defer f.account.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel(nil)
	watching.Go(func() {
		select {
		case <-f.stopped:
			cancel(errStopped)
		case <-ctx.Done():
		}
	})
	log := f.board.log.With("client", "homeassistant", "identity", f.identity)
	pause := carrier.Backoff{Min: time.Second, Max: 30 * time.Second}
	for {
		err := f.fill(ctx)
		if ctx.Err() != nil {
			return
		}
		log.Error("Home Assistant cannot be told what there is, and it is tried again", "error", err)
		if pause.Wait(ctx) != nil {
			return
		}
	}
}

func (f *filler) fill(ctx context.Context) (err error) {
	b := f.board
	o := b.o.Announcer
	id, folder, err := b.o.Place()
	if err != nil {
		return err
	}
	if err := b.loadNotices(); err != nil {
		return err
	}
	o.Plan.Hub.ID = id
	o.Plan.Topics, o.File, o.Takes, o.Unkept = topics, file(folder, f.identity), f.announces, true
	o.Asks = func(sender, request string) bool { return b.may(f.identity, verb.Request, sender, request) }
	o.Logger = b.log
	if f.announcer, err = homeassistant.NewAnnouncer(o); err != nil {
		return err
	}
	b.mu.Lock()
	own, last := b.own, b.last
	b.mu.Unlock()
	f.announcer.Own(own)
	f.states = homeassistant.NewStates(f.announcer, f.hears)
	for _, at := range f.announcer.Cleared() {
		if err := f.shelf.Put(at, nil); err != nil {
			return err
		}
	}
	if err := f.shelf.Put(topics.Hub(), []byte(`{"connected":true}`)); err != nil {
		return err
	}
	f.putNotices()
	f.announcer.Listing()
	states := f.states
	heard := func(ev hub.Event) {
		if ev.Data.Size() <= maxState {
			states.Heard(ev)
		}
	}
	l, err := b.hub.AddRemoteListenerWith(ctx, "", "", hub.ListenerOptions{Policy: hub.Latest, Last: last}, heard)
	if err != nil {
		return fmt.Errorf("board: the hub cannot be heard: %w", err)
	}
	defer l.Remove()
	if err := f.list(ctx); err != nil {
		return err
	}
	said := make(map[string]bool) // whether senders are connected
	for everything := true; ; everything = false {
		wait, err := f.announcer.Publish(ctx, f, everything)
		if err != nil {
			return err
		}
		f.states.Forget(f.announcer.Known())
		if err := f.say(ctx, wait, said); err != nil {
			return err
		}
	}
}

// list asks the hub which senders there are.
func (f *filler) list(ctx context.Context) error {
	list, err := f.board.hub.RemoteSenders(ctx)
	if err != nil {
		return fmt.Errorf("board: the hub does not say what it has: %w", err)
	}
	f.announcer.Listed(list)
	return nil
}

// Retain implements [homeassistant.Broker].
func (f *filler) Retain(_ context.Context, topic string, payload []byte) error {
	f.put(topic, payload)
	return nil
}

// put puts a message on the shelf. If there is no room, it is left out, and everything else goes on.
func (f *filler) put(topic string, payload []byte) {
	if err := f.shelf.Put(topic, payload); err != nil && !f.told {
		f.told = true
		f.board.log.Warn("not everything is told to Home Assistant", "client", "homeassistant", "identity", f.identity, "topic", topic, "error", err)
	}
}

// putNotices puts what clients have announced, where that has changed, as far as the identity may hear of it.
func (f *filler) putNotices() {
	f.board.mu.Lock()
	list := maps.Clone(f.board.notices.list)
	f.board.mu.Unlock()
	maps.DeleteFunc(list, func(_ string, n *notice) bool { return !f.hears(n.name.Sender, n.name.Name) })
	for _, at := range slices.Sorted(maps.Keys(f.noticed)) {
		if list[at] == nil {
			f.put(at, nil)
		}
	}
	for _, at := range slices.Sorted(maps.Keys(list)) {
		if f.noticed[at] != list[at] {
			f.put(at, []byte(list[at].Payload))
		}
	}
	f.noticed = list
	tells := make(map[string][]string)
	for _, n := range list {
		for at := range n.tells {
			if !slices.Contains(tells[at], n.Identity) {
				tells[at] = append(tells[at], n.Identity)
			}
		}
	}
	f.tells.Store(&tells)
}

// again has everything looked at anew that may be announced.
func (f *filler) again(ctx context.Context) error {
	f.putNotices()
	f.announcer.Review()
	f.announcer.Listing()
	return f.list(ctx)
}

// say says states for a time, or until something is to be announced.
func (f *filler) say(ctx context.Context, most time.Duration, said map[string]bool) error {
	end := time.NewTimer(most)
	defer end.Stop()
	announce := f.announcer.Changed()
	var batch, renew <-chan time.Time // changes wait for each other
	ends := func() error {
		if renew != nil { // the next call does not know of it
			return f.again(ctx)
		}
		return nil
	}
	for {
		f.sayConnected(said)
		list, wait := f.states.Take(time.Now(), f.board.o.Every)
		for _, m := range list {
			f.put(m.Topic, m.Payload)
		}
		var next <-chan time.Time
		if wait > 0 {
			next = time.After(wait)
		}
		select {
		case <-announce:
			announce, batch = nil, time.After(homeassistant.Batch)
		case <-batch:
			return ends()
		case <-end.C:
			return ends()
		case <-f.reviewed:
			return f.again(ctx)
		case <-f.news:
			f.putNotices()
			if renew == nil {
				renew = time.After(homeassistant.Batch)
			}
		case <-renew:
			return ends()
		case <-f.states.Changed():
		case <-next:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// sayConnected says which senders are connected, where that has changed.
func (f *filler) sayConnected(said map[string]bool) {
	for sender, connected := range f.announcer.Connections(said) {
		payload := []byte(`{"connected":false}`)
		if connected {
			payload = []byte(`{"connected":true}`)
		}
		f.put(topics.State(sender), payload)
	}
}
