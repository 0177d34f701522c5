package carrier

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
)

// A Budget bounds the memory that all clients together make the program hold. Each client has an [Account] in it, and the
// accounts of one place share a part of it.
//
// One client gets a quarter of the budget at most, and one place half of it, with any number of clients. Nobody can use it up:
// the less is left, the smaller is the part that one may have. However many want all they can get, one who comes later and
// wants little gets it, and an eighth is kept for the [AccountFloor] of each.
//
// A nil Budget has no bound.
type Budget struct {
	size int64
	used atomic.Int64 // what is reserved

	mu     sync.Mutex
	places map[string]*place
}

// A place is where clients are that may be one: an IP address, the programs of a machine, a serial line.
type place struct {
	name     string
	used     atomic.Int64
	accounts atomic.Int64 // set under the Budget's lock
}

// DefaultBudget is the size of a Budget, in bytes, if nothing else is said. With it, whatever the clients of one place do, a
// process needs at most some 65 MB for what is charged: the collector lets memory grow to about twice what is in use. Connections
// themselves are not charged: a carrier bounds how many there are.
const DefaultBudget = 40 << 20

// AccountFloor is what each account is granted beyond what it has already, in bytes, also at a place that has its part: enough
// for the message at hand.
const AccountFloor = 2 << 10

// NewBudget returns a Budget of this many bytes; 0 or less stands for [DefaultBudget].
func NewBudget(bytes int64) *Budget {
	if bytes <= 0 {
		bytes = DefaultBudget
	}
	return &Budget{size: bytes, places: make(map[string]*place)}
}

// Size returns how many bytes the budget has.
func (b *Budget) Size() int64 { return b.size }

// Used returns how many of them are taken, about: accounts reserve a little more than was taken from them.
func (b *Budget) Used() int64 { return b.used.Load() }

// Open returns the account of a client at this place. Close it when nothing is held for the client any more.
func (b *Budget) Open(at string) *Account {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.places[at]
	if p == nil {
		p = &place{name: at}
		b.places[at] = p
	}
	p.accounts.Add(1)
	return &Account{budget: b, place: p}
}

func (b *Budget) leave(p *place) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.accounts.Add(-1) == 0 {
		delete(b.places, p.name)
	}
}

// reserve adds n bytes to what an account has of the budget, which becomes total. It may go up to its floor whatever the others
// of its place have.
func (b *Budget) reserve(p *place, n, total, floor int64) error {
	all, there := b.used.Add(n), p.used.Add(n)
	if all <= b.size && (total <= floor && there <= b.size-b.size/4 || there <= b.forPlace(all) && total <= b.forAccount(all, there)) {
		return nil
	}
	b.release(p, n)
	switch {
	case total > b.size/4:
		return fmt.Errorf("%w: the hub holds %d bytes for this client, and at most %d for one", ErrLimit, total-n, b.size/4)
	case there > b.size/3:
		return fmt.Errorf("%w: the hub holds %d bytes for the clients at %s, and at most %d for one place", ErrLimit, there-n, p.name, b.size/2)
	default:
		return fmt.Errorf("%w: the hub holds %d of %d bytes for all its clients, and keeps the rest for those with little", ErrLimit, all-n, b.size)
	}
}

// forPlace returns how much one place may have while all together have this much. By the square of what is left, ten greedy
// places leave a part in forty, where half of what is left for each would leave a part in a thousand.
func (b *Budget) forPlace(all int64) int64 {
	return min(b.size/2, b.square(b.size-b.size/8-all))
}

// forAccount returns how much one account may have: likewise, by what its place has left.
func (b *Budget) forAccount(all, there int64) int64 { return b.square(b.forPlace(all) - there) }

// square returns 4n² in units of the whole budget: a quarter of it for a quarter, all of it for a half.
func (b *Budget) square(n int64) int64 {
	part := float64(max(n, 0)) / float64(b.size)
	return int64(4 * part * part * float64(b.size))
}

func (b *Budget) release(p *place, n int64) {
	p.used.Add(-n)
	b.used.Add(-n)
}

// An Account is one client's part of a [Budget]. It reserves a little more than was taken from it, so that taking and giving
// small amounts costs an atomic addition. It is safe for concurrent use, also under a lock: it takes no other lock than its
// own and the budget's. A nil Account grants everything.
type Account struct {
	budget *Budget
	place  *place
	used   atomic.Int64 // what was taken
	has    atomic.Int64 // what it has reserved; set under the lock

	mu      sync.Mutex
	granted int64 // of what it has: the part that is not owed to the floor
	shares  int   // see Share
	closed  bool
}

// accountStep is the least that an account reserves, in bytes.
const accountStep = 256

// slack is how much more than this an account reserves.
func slack(used int64) int64 { return accountStep + used/8 }

// Take takes n bytes. The error wraps [ErrLimit] and says which limit is reached; nothing is taken then.
func (a *Account) Take(n int) error {
	if a == nil || n <= 0 {
		return nil
	}
	if used := a.used.Add(int64(n)); used <= a.has.Load() {
		return nil
	}
	return a.grow(int64(n))
}

// grow reserves enough for what is taken, of which n bytes are new.
func (a *Account) grow(n int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	used, has := a.used.Load(), a.has.Load()
	if used <= has || a.closed {
		return nil
	}
	if more := used + slack(used); a.budget.reserve(a.place, more-has, more, 0) == nil {
		a.granted = more
		a.has.Store(more)
		return nil
	}
	err := a.budget.reserve(a.place, used-has, used, a.granted+AccountFloor)
	if err != nil {
		a.used.Add(-n)
		return err
	}
	a.has.Store(used)
	return nil
}

// Give gives back n bytes that were taken.
func (a *Account) Give(n int) {
	if a == nil || n <= 0 {
		return
	}
	if used := a.used.Add(-int64(n)); a.has.Load() > used+3*slack(used) {
		a.shrink()
	}
}

// shrink gives back what is reserved in excess.
func (a *Account) shrink() {
	a.mu.Lock()
	defer a.mu.Unlock()
	used, has := a.used.Load(), a.has.Load()
	keep := max(used, 0) + slack(used)
	if keep >= has || a.closed {
		return
	}
	// Either this sees what is being taken, or the one who takes sees that less is reserved now, and waits for the lock.
	a.has.Store(keep)
	if keep < a.used.Load() {
		a.has.Store(has)
		return
	}
	a.granted = min(a.granted, keep)
	a.budget.release(a.place, has-keep)
}

// Place returns where the client is, as [Budget.Open] was told; "" for a nil Account.
func (a *Account) Place() string {
	if a == nil {
		return ""
	}
	return a.place.name
}

// Used returns how many bytes are taken.
func (a *Account) Used() int64 {
	if a == nil {
		return 0
	}
	return a.used.Load()
}

// Left returns how many bytes, about, can be taken now: the more is taken, the smaller is the part that one may have. A nil Account
// has no bound.
func (a *Account) Left() int64 {
	if a == nil {
		return math.MaxInt64
	}
	b := a.budget
	return max(b.forAccount(b.used.Load(), a.place.used.Load())-a.used.Load(), 0)
}

// Part returns how many bytes are left for this account, divided by how many accounts its place has. While the place holds little, it is not
// divided: most accounts are of clients that do nothing. A nil Account has no bound.
func (a *Account) Part() int64 {
	if a == nil {
		return math.MaxInt64
	}
	left := a.Left()
	if a.place.used.Load() < a.budget.size/littleUsed {
		return left
	}
	return left / max(1, a.place.accounts.Load())
}

// littleUsed: a place holds little while it holds less than one in so many bytes of the budget.
const littleUsed = 16

// Share keeps the account open until Close is called once more. It is for somebody else who holds something for the client,
// maybe for longer than the client is there.
func (a *Account) Share() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.shares++
}

// Close gives back everything, once the client has gone, unless the account is shared. What is taken or given later does not
// count.
func (a *Account) Close() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.shares--; a.shares >= 0 || a.closed {
		return
	}
	a.closed = true
	a.budget.release(a.place, a.has.Load())
	a.has.Store(0)
	a.budget.leave(a.place)
}
