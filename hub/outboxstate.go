package hub

// An outboxState says what becomes of events for a client.
type outboxState uint8

const (
	following outboxState = iota // they are sent or wait; a full outbox slows senders down, if its listeners want that
	lagging                      // the client let a deadline pass: what does not fit is dropped until it has caught up
	leaving                      // the client is being disconnected: nothing more is taken
	gone                         // the client has gone: nothing is taken, nothing waits
)

// outboxChanges are the changes of state that there are, by the state before and the one after.
//
//	following → lagging    a deadline passed while it was full
//	lagging   → following  it is at most half full
//	either    → leaving    the policy disconnects, gaps are too many, or an answer is impossible
//	leaving   → following  the carrier cannot disconnect its clients
//	any       → gone       the client has gone
var outboxChanges = [4][4]bool{
	following: {lagging: true, leaving: true, gone: true},
	lagging:   {following: true, leaving: true, gone: true},
	leaving:   {following: true, gone: true},
}

// become changes the state, and returns false where there is no such change. Every change is made here; the lock is held.
func (o *outbox) become(next outboxState) bool {
	if !outboxChanges[o.state][next] {
		return false
	}
	o.state = next
	if next != following {
		o.room.wake() // nobody need wait for it any more
	}
	return true
}

// takes reports whether the outbox takes events.
func (o *outbox) takes() bool { return o.state == following || o.state == lagging }
