package lockrank

// A Rank is the place of a lock in the order: of two, the one with the higher number is taken second.
type Rank interface {
	rank() int
}

// The ranks, in the order in which locks are taken. Locks of equal rank are not taken under one another.
type (
	// ClientRouter guards the connection, the remote senders and the remote listeners of a hub.ClientRouter.
	ClientRouter struct{}
	// Connection guards the listeners of one connection of a hub.ClientRouter.
	Connection struct{}
	// Policy is held while a hub.ServerRouter puts a policy into force.
	Policy struct{}
	// Router guards the senders, listeners and topics of a hub.Router.
	Router struct{}
	// Topic guards the events of one sender that wait to be delivered.
	Topic struct{}
	// Outbox guards the events that wait for one client of a hub.ServerRouter.
	Outbox struct{}
	// Reports guards the events of one connection that wait for the hub's answer.
	Reports struct{}
	// Writer guards what waits to be written to a TCP or Unix connection.
	Writer struct{}
	// Conn guards the other state of such a connection.
	Conn struct{}
	// Serial guards all lines and devices of a serial.Server, or a device.Device.
	Serial struct{}
	// Leaf guards anything under which no other lock is taken.
	Leaf struct{}
)

func (ClientRouter) rank() int { return 10 }
func (Connection) rank() int   { return 20 }
func (Policy) rank() int       { return 25 }
func (Router) rank() int       { return 30 }
func (Topic) rank() int        { return 40 }
func (Outbox) rank() int       { return 50 }
func (Reports) rank() int      { return 50 }
func (Writer) rank() int       { return 60 }
func (Conn) rank() int         { return 70 }
func (Serial) rank() int       { return 80 }
func (Leaf) rank() int         { return 100 }
