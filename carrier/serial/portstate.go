package serial

import (
	"errors"
	"io/fs"
	"syscall"
	"time"
)

// A PortState is where a port is in its life:
//
//	absent ── appears ──▶ opening ── opened ──▶ waiting ── HELLO ──▶ connected ── asked in vain ──▶ silent
//	   ▲                   │   ▲                 │  ▲                  │   ▲ │                        │ │
//	   ├───── is gone ─────┤   └── next try ──┐  │  └─ device is gone ─┘   │ └───────── lost ──┐      │ │
//	   │                   └───── cannot ───▶ failed ◀──── lost ────┘      └───── is heard ────│──────┘ │
//	   └───────── is gone ────────────────────┘ ▲──────────────────────────────────────────────┴────────┘
type PortState string

// The states of a port.
const (
	PortAbsent    PortState = "absent"    // it is not there, or no port is that its pattern names
	PortOpening   PortState = "opening"   //
	PortWaiting   PortState = "waiting"   // open; no device has said HELLO yet
	PortConnected PortState = "connected" // to a device
	PortSilent    PortState = "silent"    // the device does not answer: soon it counts as gone
	PortFailed    PortState = "failed"    // it cannot be opened or was lost, and is tried again
)

// patience is how long a port may refuse before that is told. For a moment after it appears, nobody but root may open
// it, until the system's rules for it are applied; and other programs look at it, too.
const patience = time.Second

// A portState is the state of a port, and how it came to it.
type portState struct {
	state  PortState
	since  time.Time
	err    error     // of absent and failed
	next   time.Time // try, in these states
	opened bool      // it was once
	told   string    // the reason that was logged
}

// enter changes the state. To fail again for the same reason is no change, nor is the try before that.
func (s *portState) enter(now time.Time, state PortState, err error) {
	switch {
	case state == PortOpening && s.err != nil:
		return
	case err != nil && s.err != nil && s.err.Error() == err.Error():
		return
	case state == PortWaiting:
		s.opened, s.told = true, ""
	}
	s.state, s.since, s.err = state, now, err
}

// news tells whether the failure to open the port is to be logged now: once for each reason, and not if it is that the
// port has gone, which was told when it was lost.
func (s *portState) news(now time.Time) bool {
	switch {
	case s.told == s.err.Error(),
		(errors.Is(s.err, fs.ErrPermission) || errors.Is(s.err, syscall.EBUSY)) && now.Sub(s.since) < patience,
		s.state == PortAbsent && s.opened:
		return false
	}
	s.told = s.err.Error()
	return true
}
