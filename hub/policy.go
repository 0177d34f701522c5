package hub

import "time"

// A Policy says what happens to events for a remote client whose outbox is full. Events that are dropped are counted, and the
// listener is told of them by a [Gap]. Configurations and the protocol name it by its text.
type Policy string

const (
	// DefaultPolicy is what the hub is configured for: Block, unless OutboxOptions say otherwise.
	DefaultPolicy Policy = ""
	// Block slows the sender down: its event is acknowledged when the outbox has room again, or after the deadline. If
	// the deadline passes, the hub does not wait for this client again until its outbox is half empty. Meanwhile, events
	// that do not fit are dropped.
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
	Bytes    int           // of the data of events, if it arrived encoded; 16 MiB by default
	Policy   Policy        // Block by default
	Deadline time.Duration // of Block: 2 s by default
	// Memory is roughly how many bytes all outboxes of a router may hold together, including what waits to be written:
	// 256 MiB by default. When they hold that much, every outbox in which something waits counts as full, and no sender
	// waits for room.
	Memory int
}

func (o OutboxOptions) withDefaults() OutboxOptions {
	if o.Limit <= 0 {
		o.Limit = 1024
	}
	if o.Bytes <= 0 {
		o.Bytes = 16 << 20
	}
	if o.Policy == DefaultPolicy {
		o.Policy = Block
	}
	if o.Deadline <= 0 {
		o.Deadline = 2 * time.Second
	}
	if o.Memory <= 0 {
		o.Memory = 256 << 20
	}
	return o
}
