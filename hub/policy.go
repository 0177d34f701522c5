package hub

import "time"

// A Policy says what happens to events for a remote client whose outbox is full. Events that are dropped are counted, and the
// listener is told of them by a [Gap]. Configurations and the protocol name it by its text.
type Policy string

const (
	// DefaultPolicy is what the hub is configured for: Block, unless OutboxOptions say otherwise.
	DefaultPolicy Policy = ""
	// Block slows the sender down: its event is acknowledged once the outbox has room, or after
	// OutboxOptions.Deadline. A client that lets a deadline pass is not waited for again until it has caught
	// up; meanwhile, events that do not fit are dropped.
	Block Policy = "block"
	// Latest drops the waiting event that the new one replaces (same listener, sender and event), or the
	// oldest one if there is none; and, full or not, an event that has waited for a while when a newer one waits as
	// well, so that nothing old is heard. A client that has answered nothing for a second is sent no more, because that
	// would be old by the time it is heard.
	Latest Policy = "latest"
	// Hangup disconnects the client.
	Hangup Policy = "disconnect"
)

// Policies lists the policies that a listener may ask for.
func Policies() []Policy { return []Policy{Block, Latest, Hangup} }

// OutboxOptions bound what waits for each remote client. Zero values are defaults. Policy and Deadline apply to listeners
// that do not ask for others: see [ListenerOptions].
type OutboxOptions struct {
	Limit    int           // events; 1024 by default
	Bytes    int           // of the data of events, if it arrived encoded; 16 MiB by default
	Policy   Policy        // Block by default
	Deadline time.Duration // of Block: 2 s by default
	// Memory is about how many bytes all outboxes of a router may hold together, with what waits to be written; 256 MiB by
	// default. When they hold that much, every outbox in which something waits counts as full, and no sender waits.
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
