package hub

import "time"

// A Policy says what happens to events for a remote client whose outbox is full. Events that are dropped are counted, and the
// listener is told of them by a [Gap]. Configurations and the protocol name it by its text.
type Policy string

const (
	// DefaultPolicy is what the hub is configured for: Block, unless OutboxOptions say otherwise.
	DefaultPolicy Policy = ""
	// Block slows the sender down: its event is acknowledged when the outbox has room again, or after the deadline. All that
	// senders wait for one client counts towards one deadline, except for 100 µs for each of their events. It comes back
	// slowly, the whole of it in a minute. When it is used up, the hub does not wait for this client any more, and drops the
	// events that do not fit, until the client has lost nothing for a minute.
	Block Policy = "block"
	// Latest drops the waiting event that the new one replaces, which has the same listener, sender and name. If there is
	// none, it drops the oldest event of a Latest listener. Even in an outbox that is not full, it drops an event that
	// has waited for a while if a newer one of the same kind waits as well. A client that has answered nothing for a
	// second is sent nothing more, because that would be old by the time it is heard.
	Latest Policy = "latest"
	// Hangup disconnects the client.
	Hangup Policy = "disconnect"
)

// Policies lists the policies that a listener may ask for.
func Policies() []Policy { return []Policy{Block, Latest, Hangup} }

// OutboxOptions bound the events that wait for each remote client. Zero values are defaults. Policy and Deadline apply to
// listeners that do not choose their own: see [ListenerOptions].
type OutboxOptions struct {
	Limit    int           // events; 1024 by default
	Bytes    int           // of the data of events, if it arrived encoded; 4 MiB by default
	Policy   Policy        // Block by default
	Deadline time.Duration // of Block: 2 s by default
}

func (o OutboxOptions) withDefaults() OutboxOptions {
	if o.Limit <= 0 {
		o.Limit = 1024
	}
	if o.Bytes <= 0 {
		o.Bytes = 4 << 20
	}
	if o.Policy == DefaultPolicy {
		o.Policy = Block
	}
	if o.Deadline <= 0 {
		o.Deadline = 2 * time.Second
	}
	return o
}
