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

// A life is the state of a port, and how it came to it.
type life struct {
	state  PortState
	since  time.Time
	err    error     // of absent and failed
	next   time.Time // try, in these states
	opened bool      // it was once
	told   string    // the reason that was logged
}

// enter changes the state. To fail again for the same reason is no change, nor is the try before that.
func (l *life) enter(now time.Time, state PortState, err error) {
	switch {
	case state == PortOpening && l.err != nil:
		return
	case err != nil && l.err != nil && l.err.Error() == err.Error():
		return
	case state == PortWaiting:
		l.opened, l.told = true, ""
	}
	l.state, l.since, l.err = state, now, err
}

// news tells whether the failure to open the port is to be logged now: once for each reason, and not if it is that the
// port has gone, which was told when it was lost.
func (l *life) news(now time.Time) bool {
	switch {
	case l.told == l.err.Error(),
		(errors.Is(l.err, fs.ErrPermission) || errors.Is(l.err, syscall.EBUSY)) && now.Sub(l.since) < patience,
		l.state == PortAbsent && l.opened:
		return false
	}
	l.told = l.err.Error()
	return true
}
