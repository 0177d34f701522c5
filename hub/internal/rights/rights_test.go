package rights_test

import (
	"testing"

	"sighub/carrier"
	"sighub/hub/internal/rights"
	"sighub/hub/verb"
)

// classes is a policy in which one identity has a class, which hears everything or nothing.
type classes struct {
	class uint16
	hears []uint64
}

func (c classes) May(string, verb.Verb, string, string) (bool, string) { return len(c.hears) > 0, "" }
func (c classes) Class(string) uint16                                  { return c.class }
func (c classes) Hears(string, string) []uint64                        { return c.hears }
func (c classes) Known(string) bool                                    { return false }

// TestHearing: classes of two policies are not compared, because their numbers mean other things.
func TestHearing(t *testing.T) {
	first := rights.PutInForce(classes{65, []uint64{0, 1 << 1}})
	second := rights.PutInForce(classes{65, []uint64{0, 1 << 1}})
	ann := first.Standing("ann")
	if ok, tells := first.Hearing("s", "e", nil).Has(&ann); !ok || !tells {
		t.Error(ok, tells)
	}
	if ok, tells := second.Hearing("s", "e", nil).Has(&ann); ok || tells {
		t.Error("another policy's classes are taken for this one's:", ok, tells)
	}
	short := rights.PutInForce(classes{65, []uint64{1}})
	ann = short.Standing("ann")
	if ok, tells := short.Hearing("s", "e", nil).Has(&ann); ok || !tells {
		t.Error("a class beyond the list hears:", ok, tells)
	}
	if ok, tells := (*rights.Hearing)(nil).Has(&ann); ok || tells {
		t.Error("an event without a policy is heard by somebody under one:", ok, tells)
	}
}

// TestOwn: a policy says nothing about the hub itself.
func TestOwn(t *testing.T) {
	in := rights.PutInForce(classes{})
	if !in.Knows(carrier.OwnIdentity) || !in.May(carrier.OwnIdentity, verb.Admin, "", "") {
		t.Error("the hub may not ask itself")
	}
	if in.Knows("") || in.Knows("ann") || in.May("ann", verb.Admin, "", "") {
		t.Error("others may as well")
	}
}
