package serial

import (
	"context"
	"time"

	"sighub/carrier/serial/port"
)

// A Speaker serves one port on which something else is spoken than the protocol of the hub's devices. The [Server] finds the port,
// opens it, and opens it again when it is lost; the Speaker makes senders of what arrives there.
type Speaker interface {
	// Speak serves the open port until it is lost or ctx is done, closes it, and returns why it has ended. The Server calls it
	// again when the port is open again, never twice at a time. The cause of ctx wraps [carrier.ErrUnplugged] if the port has
	// gone or is to be served in another way; else the hub shuts down.
	Speak(ctx context.Context, p port.Port) error
	// Spoken says what the Speaker has heard. It is called at any time.
	Spoken(now time.Time) Spoken
}

// Spoken describes what a [Speaker] has heard at its port. Its texts are harmless to print.
type Spoken struct {
	Speaks  string   `json:"speaks"` // such as lines
	Format  string   `json:"format"`
	Senders []string `json:"senders,omitempty"` // that are connected

	// State is PortWaiting, PortConnected or PortSilent while the port is open.
	State PortState `json:"-"`
	Since time.Time `json:"-"`
	Baud  int       `json:"-"` // if the Speaker has found it; 0: as the port was opened

	Lines     uint64  `json:"lines"`    // that arrived, or answers
	Readings  uint64  `json:"readings"` // that the hub has taken
	PerSecond float64 `json:"readings_per_second"`
	Half      uint64  `json:"half_lines,omitempty"` // that had begun before the port was open

	// Refused counts the lines and the values that were refused, by cause.
	Refused       map[string]uint64 `json:"refused,omitempty"`
	LatestRefusal *Refusal          `json:"latest_refusal,omitempty"`

	Latest   string     `json:"latest,omitempty"` // the latest line, quoted
	LatestAt *time.Time `json:"latest_at,omitempty"`

	Problems []Problem `json:"-"` // see PortInfo
}

// report adds to a port's description what its speaker says.
func (i *PortInfo) report(s Spoken) {
	i.Spoken = &s
	i.Problems = append(i.Problems, s.Problems...)
	if i.State != PortWaiting { // it is not open
		return
	}
	if s.State != "" {
		i.State, i.Since = s.State, s.Since.UTC()
	}
	if s.Baud > 0 {
		i.Baud = s.Baud
	}
}
