package device

import (
	"cmp"
	crand "crypto/rand"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/wire"
	"sighub/internal/lockrank"
)

// Options configure a [Device]. The zero value of each field stands for its default.
type Options struct {
	// UID is the device's lasting identity, up to 12 bytes. Default: 8 random bytes.
	UID []byte
	// Name and Firmware, its version, are for people to read. With the UID they must fit into HELLO, which has room for ten
	// to twenty bytes of text. The default name is the UID.
	Name, Firmware string
	// Boot is a number that differs at each start. Default: random.
	Boot uint32
	// ResetCause says why the device was started, as a number whose meaning is the device's.
	ResetCause uint
	// Senders are the device's dictionary. Without senders, a device has nothing to Report, but it can send messages.
	Senders []Sender

	// Window is how many reliable frames may be unanswered in each direction: 1 to 8, default 4.
	Window int
	// ReceiveWindow is how many bytes of unanswered frames the hub may send. Default: those of Window frames.
	ReceiveWindow int
	// MaxFrame is the largest frame in bytes on the line: 60 to 4096, default 254.
	MaxFrame int
	// Baud is the line's rate in bits per second, at which HELLO is said. Default 115200.
	Baud int
	// FastestBaud is the fastest rate that the device can change to, if its port is a [port.RateSetter] and the hub offers
	// a faster rate. 0: the rate stays.
	FastestBaud int

	// Ring is how many readings can wait to be acknowledged. Default 1024.
	Ring int
	// Overflow says what happens to readings for which the ring has no room.
	Overflow Overflow
	// Batch is how many readings a frame has at most. Default: as many as fit.
	Batch int

	// Ask is the silence after which the device sends a PING. Default 2 s.
	Ask time.Duration
	// Timeout is the silence after which the hub counts as gone, and the device says HELLO again. Default 4 s.
	Timeout time.Duration

	// TicksPerSecond is the rate of the device's clock, 1 to 1,000,000. Default 1000.
	TicksPerSecond int
	// Clock returns the time from which the ticks are counted. Default time.Now.
	Clock func() time.Time

	// Backoff paces the tries to open the port. Default 50 ms to 500 ms.
	Backoff carrier.Backoff
	// Logger gets the reasons why the port cannot be opened. Nil: nothing is logged.
	Logger *slog.Logger
}

// An Overflow says what happens to readings for which a device's ring has no room.
type Overflow int

const (
	// OverflowWait makes Report wait for room.
	OverflowWait Overflow = iota
	// OverflowCount drops the oldest reading that was not sent. The hub tells how many were dropped, as an event #gap of
	// their sender that names their event.
	OverflowCount
)

func (o Options) withDefaults() (Options, error) {
	if len(o.UID) == 0 {
		o.UID = make([]byte, 8)
		_, _ = crand.Read(o.UID) // never fails
	}
	if len(o.UID) > wire.MaxUID {
		return o, fmt.Errorf("device: the uid must have at most %d bytes, not %d", wire.MaxUID, len(o.UID))
	}
	for o.Boot == 0 {
		o.Boot = rand.Uint32()
	}
	o.Window = cmp.Or(o.Window, 4)
	o.MaxFrame = cmp.Or(o.MaxFrame, wire.DefaultFrame)
	o.ReceiveWindow = cmp.Or(o.ReceiveWindow, o.Window*o.MaxFrame)
	o.Baud = cmp.Or(o.Baud, wire.DefaultBaud)
	o.Ring = cmp.Or(o.Ring, 1024)
	o.Batch = cmp.Or(o.Batch, wire.MaxFrame)
	o.Ask = cmp.Or(o.Ask, 2*time.Second)
	o.Timeout = cmp.Or(o.Timeout, max(4*time.Second, 2*o.Ask))
	o.TicksPerSecond = cmp.Or(o.TicksPerSecond, 1000)
	o.Backoff.Min = cmp.Or(o.Backoff.Min, 50*time.Millisecond)
	o.Backoff.Max = cmp.Or(o.Backoff.Max, 500*time.Millisecond)
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Logger = lockrank.Logger(o.Logger)
	if err := wire.CheckLimits(o.MaxFrame, o.Window); err != nil {
		return o, fmt.Errorf("device: %w", err)
	}
	if o.TicksPerSecond < 1 || o.TicksPerSecond > 1_000_000 {
		return o, fmt.Errorf("device: the ticks per second must be from 1 to 1,000,000, not %d", o.TicksPerSecond)
	}
	if o.Ring < 1 || o.Batch < 1 || o.Baud < 1 || o.FastestBaud < 0 || o.FastestBaud > math.MaxInt32 || o.ReceiveWindow < 0 || o.Ask < 0 || o.Timeout < 0 {
		return o, fmt.Errorf("device: the ring, the batch, rates, the receive window and times must not be negative, nor too large")
	}
	if err := wire.CheckSenders(pack(o.Senders)); err != nil {
		return o, fmt.Errorf("device: %w", err)
	}
	return o, nil
}
