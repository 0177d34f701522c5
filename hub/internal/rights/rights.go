// Package rights holds what a hub remembers of the policy in force: so that nobody's rules are looked at again for each event.
package rights

import (
	"slices"
	"strings"

	"sighub/carrier"
	"sighub/hub/verb"
)

// An InForce is a policy from when it is put into force until another one is. A nil InForce allows everything.
type InForce struct {
	policy verb.Policy
	known  func(identity string) bool
}

// PutInForce returns a policy as it is put into force; nil if p is nil.
func PutInForce(p verb.Policy) *InForce {
	if p == nil {
		return nil
	}
	in := &InForce{policy: p, known: func(string) bool { return true }}
	if k, ok := p.(interface{ Known(identity string) bool }); ok {
		in.known = k.Known
	}
	return in
}

// May reports whether an identity may do something. An empty sender or name is any.
func (in *InForce) May(identity string, v verb.Verb, sender, name string) bool {
	if in == nil || identity == carrier.OwnIdentity {
		return true
	}
	ok, _ := in.policy.May(identity, v, sender, name)
	return ok
}

// MayOffer reports whether an identity may have a sender with these events; if not, an event that it may not trigger, or none if it
// may not have the sender at all.
func (in *InForce) MayOffer(identity, sender string, events []string) (ok bool, denied string) {
	if in == nil {
		return true, ""
	}
	if !in.May(identity, verb.Add, sender, "") {
		return false, ""
	}
	for _, event := range events {
		if !in.May(identity, verb.Trigger, sender, event) {
			return false, event
		}
	}
	return true, ""
}

// Knows reports whether an identity has any business at the hub.
func (in *InForce) Knows(identity string) bool {
	return in == nil || identity == carrier.OwnIdentity || in.known(identity)
}

// Standing returns what there is to know of an identity when an event is delivered to it.
func (in *InForce) Standing(identity string) Standing {
	if in == nil {
		return Standing{}
	}
	return Standing{
		In: in, Class: in.policy.Class(identity), Confined: !in.May(identity, verb.Admin, "", ""), Own: identity == carrier.OwnIdentity,
	}
}

// Hearing returns who may hear an event. It is the same as before if that is equal, so that the events of a sender share one.
func (in *InForce) Hearing(sender, event string, before *Hearing) *Hearing {
	if in == nil {
		return nil
	}
	classes := in.policy.Hears(sender, event)
	if before != nil && before.in == in && slices.Equal(before.classes, classes) {
		return before
	}
	return &Hearing{in, classes}
}

// A Standing is what a client is in the eyes of a policy.
type Standing struct {
	In       *InForce
	Class    uint16 // of those who may hear the same
	Confined bool   // it is not an admin
	Own      bool   // it is part of the hub's program, which may hear everything
}

// A Hearing says which classes may hear an event.
type Hearing struct {
	in      *InForce
	classes []uint64
}

// Has reports whether a client may hear the event. It can tell only if both are of the same policy. A nil Hearing is that of an event
// while no policy is in force.
func (h *Hearing) Has(s *Standing) (ok, tells bool) {
	if h == nil {
		return s.In == nil, s.In == nil
	}
	if h.in != s.In {
		return false, false
	}
	i := int(s.Class / 64)
	return i < len(h.classes) && h.classes[i]&(1<<(s.Class%64)) != 0 || s.Own, true
}

// A Sight remembers what an identity may hear, for somebody who goes through many events of few kinds. One goroutine at a time uses it.
type Sight struct {
	in    *InForce
	known map[[2]string]bool
}

// mostKnown is how many kinds of events a Sight remembers.
const mostKnown = 128

// Hears reports whether an identity may hear an event by the policy in force. It keeps neither of the texts.
func (s *Sight) Hears(in *InForce, identity, sender, event string) bool {
	if in == nil {
		return true
	}
	if s.in != in {
		s.in, s.known = in, make(map[[2]string]bool)
	}
	ok, known := s.known[[2]string{sender, event}]
	if !known {
		ok = in.May(identity, verb.Listen, sender, event)
		if len(s.known) < mostKnown {
			s.known[[2]string{strings.Clone(sender), strings.Clone(event)}] = ok
		}
	}
	return ok
}
