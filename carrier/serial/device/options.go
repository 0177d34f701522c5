package device

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/internal/wire"
)

// Options describe a [Device]. The zero value of each field stands for its default.
type Options struct {
	// UID is the device's lasting identity, up to 12 bytes. Default: 8 random bytes.
	UID []byte
	// Name and Firmware are for people to read. Together with the UID they must fit into HELLO, which leaves
	// them some ten to twenty bytes. The name's default is the UID.
	Name, Firmware string
	// Boot is a number that differs at each start. Default: random.
	Boot uint32
	// ResetCause says why the device was started, in numbers of its own.
	ResetCause uint
	// Senders are the device's dictionary. A device without speaks plain messages only, and cannot Report.
	Senders []Sender

	// Window is how many reliable frames may be unanswered in each direction: 1 to 8, default 4.
	Window int
	// ReceiveWindow is how many bytes of unanswered frames the hub may have on the line. Default: Window frames.
	ReceiveWindow int
	// MaxFrame is the largest frame in bytes on the line: 60 to 4096, default 254.
	MaxFrame int
	// Baud is the line's rate in bits per second, by which the device knows how long frames take. Default 115200.
	Baud int
	// FastestBaud is the fastest rate that the device can change to, if its port is a [RateSetter] and the hub offers
	// one. 0: none.
	FastestBaud int

	// Ring is how many readings may wait to be acknowledged. Default 1024.
	Ring int
	// Overflow says what becomes of readings for which the ring has no room.
	Overflow Overflow
	// Batch is how many readings travel in one frame at most. Default: as many as fit.
	Batch int

	// Ask is after how much silence the hub is asked whether it is there. Default 2 s.
	Ask time.Duration
	// Timeout is after how much silence the connection is given up, and HELLO said again. Default 4 s.
	Timeout time.Duration

	// TicksPerSecond is the rate of the device's clock, 1 to 1,000,000. Default 1000.
	TicksPerSecond int
	// Clock is the time by which the ticks count. Default time.Now.
	Clock func() time.Time

	// Backoff paces the opening of a lost port. Default 50 ms to 500 ms.
	Backoff carrier.Backoff
	// Logger is told of ports that cannot be opened. Nil: nothing is logged.
	Logger *slog.Logger
}

// An Overflow says what becomes of readings for which a device's ring has no room.
type Overflow int

const (
	// OverflowWait lets Report wait for room.
	OverflowWait Overflow = iota
	// OverflowCount drops the oldest reading that was not sent yet. How many were dropped, the hub tells as a
	// #gap event of their sender that names their event.
	OverflowCount
)

// Stats count a device's traffic.
type Stats struct {
	Sent         uint64 // readings sent, each once
	Acknowledged uint64 // readings that the hub has taken
	Refused      uint64 // readings that the hub has answered with an error
	Lost         uint64 // readings dropped because the ring was full
	Resent       uint64 // frames sent again
	BadFrames    uint64 // frames that arrived damaged
}

func (o Options) withDefaults() (Options, error) {
	if len(o.UID) == 0 {
		o.UID = make([]byte, 8)
		_, _ = rand.Read(o.UID) // never fails
	}
	if len(o.UID) > wire.MaxUID {
		return o, fmt.Errorf("serial: a uid of %d bytes is longer than %d", len(o.UID), wire.MaxUID)
	}
	for o.Boot == 0 {
		var b [4]byte
		_, _ = rand.Read(b[:])
		o.Boot = binary.BigEndian.Uint32(b[:])
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
	if err := wire.CheckLimits(o.MaxFrame, o.Window); err != nil {
		return o, fmt.Errorf("serial: %w", err)
	}
	if o.TicksPerSecond < 1 || o.TicksPerSecond > 1_000_000 {
		return o, fmt.Errorf("serial: %d ticks per second are not between 1 and 1,000,000", o.TicksPerSecond)
	}
	if o.Ring < 1 || o.Batch < 1 || o.Baud < 1 || o.FastestBaud < 0 || o.FastestBaud > math.MaxInt32 || o.ReceiveWindow < 0 || o.Ask < 0 || o.Timeout < 0 {
		return o, fmt.Errorf("serial: ring, batch, rates, receive window and times must not be negative or too large")
	}
	if err := wire.CheckSenders(pack(o.Senders)); err != nil {
		return o, fmt.Errorf("serial: %w", err)
	}
	return o, nil
}
