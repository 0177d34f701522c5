package serial

import (
	"errors"
	"io/fs"
	"syscall"
	"time"
)

// A PortState is the state of a port:
//
//	absent ── appears ──▶ opening ── opened ──▶ waiting ── HELLO ──▶ connected ── asked in vain ──▶ silent
//	   ▲                   │   ▲                 │  ▲                  │   ▲ │                        │ │
//	   ├───── is gone ─────┤   └── next try ──┐  │  └─ device is gone ─┘   │ └───────── lost ──┐      │ │
//	   │                   └───── cannot ───▶ failed ◀──── lost ────┘      └───── is heard ────│──────┘ │
//	   └───────── is gone ────────────────────┘ ▲──────────────────────────────────────────────┴────────┘
type PortState string

// The states of a port.
const (
	PortAbsent    PortState = "absent"    // it is not there, or its pattern matches no port
	PortOpening   PortState = "opening"   //
	PortWaiting   PortState = "waiting"   // open; no device has said HELLO yet
	PortConnected PortState = "connected" // to a device
	PortSilent    PortState = "silent"    // the device does not answer, and will soon be gone
	PortLeft      PortState = "left"      // it is left alone, for other programs
	PortFailed    PortState = "failed"    // it could not be opened or was lost, and will be tried again
)

// patience is how long a port may refuse to be opened before that is logged. When it has just appeared, the system may not
// have applied its rights yet, and other programs look at it, too.
const patience = time.Second

// A portState is the state of a port, and why it is in that state.
type portState struct {
	state  PortState
	since  time.Time
	err    error     // if absent or failed
	next   time.Time // try in these states
	opened bool      // it was open before
	logged string    // the latest reason that was logged
}

// enter changes the state. It stays as it is while tries fail for the same reason.
func (s *portState) enter(now time.Time, state PortState, err error) {
	switch {
	case state == PortOpening && s.err != nil:
		return
	case err != nil && s.err != nil && s.err.Error() == err.Error():
		return
	case state == PortWaiting:
		s.opened, s.logged = true, ""
	}
	s.state, s.since, s.err = state, now, err
}

// worthLogging reports whether to log now that the port cannot be opened: once for each reason, but not for a lost port that
// has gone.
func (s *portState) worthLogging(now time.Time) bool {
	switch {
	case s.logged == s.err.Error(),
		(errors.Is(s.err, fs.ErrPermission) || errors.Is(s.err, syscall.EBUSY)) && now.Sub(s.since) < patience,
		s.state == PortAbsent && s.opened:
		return false
	}
	s.logged = s.err.Error()
	return true
}
