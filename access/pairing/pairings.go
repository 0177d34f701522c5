package pairing

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"time"

	"sighub/access/internal/naming"
	"sighub/internal/lockrank"
)

// The bounds of a pairing.
const (
	Valid = 10 * time.Minute
	Tries = 5
	// MaxOpen is how many pairings may be open at once.
	MaxOpen = 64
)

// The errors of [Pairings.Try]. They are for the hub's owner: the other machine is told only that it did not work, whichever it is.
var (
	ErrNone    = errors.New("pairing: this id is not open: it was used, or replaced, or never begun")
	ErrExpired = errors.New("pairing: its time is over: begin another one")
	ErrWrong   = errors.New("pairing: the proof is wrong")
	ErrGuessed = errors.New("pairing: the proof was wrong too often, so it is over: begin another one, and see who has tried")
)

// Pairings are those of a hub that are open. The zero Pairings is ready. Its methods may be called from any goroutine.
// They are in memory only: a hub that starts again has none.
type Pairings struct {
	// Now tells the time, by a clock that is never set: time.Now by default.
	Now func() time.Time

	mu   lockrank.Mutex[lockrank.Leaf]
	open []*open
}

// An open pairing waits for somebody. Its beginning has the reading of the monotonic clock, which nobody sets.
type open struct {
	id     ID
	secret Secret
	grant  Grant
	begun  time.Time
	failed int
	over   error // not nil: why nobody can use it any more
}

// A Grant is what somebody gets who accepts an invitation.
type Grant struct {
	Name  string
	Roles []string // nil: those that the identity has
}

// Status says how an open pairing is.
type Status struct {
	Name   string
	Begun  time.Time
	Left   time.Duration // in which it can be used
	Failed int           // tries
}

// Start begins a pairing, and returns the invitation to it. One of the same name that is open is over.
func (p *Pairings) Start(address string, hubKey [32]byte, g Grant) (*Invitation, error) {
	if err := errors.Join(CheckAddress(address), naming.Check(g.Name)); err != nil {
		return nil, err
	}
	if hubKey == ([32]byte{}) {
		return nil, errors.New("the hub has no key to pair with: give it one")
	}
	o := &open{grant: Grant{g.Name, slices.Clone(g.Roles)}, begun: p.now()}
	random(o.secret[:])
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tidy()
	p.open = slices.DeleteFunc(p.open, func(other *open) bool { return other.grant.Name == g.Name })
	if len(p.open) >= MaxOpen {
		return nil, fmt.Errorf("%d pairings are open, and there may be no more: wait until one is over, or cancel one", MaxOpen)
	}
	for { // 1,024 ids, and 64 of them used at most
		random(o.id[:])
		if p.find(o.id) == nil {
			break
		}
	}
	p.open = append(p.open, o)
	return invite(address, hubKey, o.id, o.secret), nil
}

// random fills with letters.
func random(values []byte) {
	_, _ = rand.Read(values) // it does not fail: see its documentation
	for i := range values {
		values[i] %= 32
	}
}

// Try uses a pairing. The keys are those of the connection on which the proof was said, by the SHA-256 of each SubjectPublicKeyInfo.
// If there is no error, the pairing is over, and the client's key is to be pinned for the Grant.
func (p *Pairings) Try(id ID, proof Proof, hubKey, clientKey [32]byte) (Grant, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := p.find(id)
	switch {
	case o == nil:
		return Grant{}, ErrNone
	case o.over != nil:
		return Grant{}, o.over
	case p.now().Sub(o.begun) >= Valid:
		o.over = ErrExpired
		return Grant{}, ErrExpired
	}
	want := prove(o.secret, o.id, hubKey, clientKey)
	if clientKey == ([32]byte{}) || subtle.ConstantTimeCompare(want[:], proof[:]) != 1 {
		if o.failed++; o.failed < Tries {
			return Grant{}, fmt.Errorf("%w: %d of %d tries", ErrWrong, o.failed, Tries)
		}
		o.over = ErrGuessed
		return Grant{}, ErrGuessed
	}
	p.open = slices.DeleteFunc(p.open, func(other *open) bool { return other == o })
	return o.grant, nil
}

// Cancel ends the pairing of a name. It reports whether one was open.
func (p *Pairings) Cancel(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tidy()
	n := len(p.open)
	p.open = slices.DeleteFunc(p.open, func(o *open) bool { return o.grant.Name == name })
	return len(p.open) < n
}

// Open returns the pairings that somebody could still use.
func (p *Pairings) Open() (list []Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range p.open {
		if o.over == nil && p.now().Sub(o.begun) < Valid {
			list = append(list, Status{o.grant.Name, o.begun, Valid - p.now().Sub(o.begun), o.failed})
		}
	}
	return list
}

func (p *Pairings) now() time.Time {
	if p.Now != nil {
		return p.Now()
	}
	return time.Now()
}

func (p *Pairings) find(id ID) *open {
	for _, o := range p.open {
		if o.id == id {
			return o
		}
	}
	return nil
}

// tidy removes pairings whose time is over. Those that were guessed at stay until then, so that who comes late learns why.
func (p *Pairings) tidy() {
	p.open = slices.DeleteFunc(p.open, func(o *open) bool { return p.now().Sub(o.begun) >= Valid })
}
