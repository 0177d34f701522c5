// Package wire is what the two halves of the laboratory say to each other: the program on this machine, and the agent
// inside the machine it boots. Both write JSON, one object a line. The program sends a [Call]; the agent answers it, now
// or later, and in between tells by itself what it sees.
package wire

import "encoding/json"

// A Call asks the agent for something. Calls are worked on side by side.
type Call struct {
	ID   uint64          `json:"id"`
	Do   string          `json:"do"` // the name of one of the agent's commands
	With json.RawMessage `json:"with,omitempty"`
}

// A Line is what the agent writes: one of its parts is set.
type Line struct {
	Answer *Answer `json:"answer,omitempty"`
	Sight  *Sight  `json:"sight,omitempty"`
}

// An Answer is the end of a call.
type Answer struct {
	ID     uint64          `json:"id"`
	Error  string          `json:"error,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
}

// The kinds of sights.
const (
	Ready  = "ready"  // the agent is at work; Text is the kernel's version
	Uevent = "uevent" // the kernel tells of a terminal device: Name is ttyUSB0, Text is add or remove
	Kernel = "kernel" // a line of the kernel's log
	Heard  = "heard"  // a listener was told of an event: By is the listener
	Log    = "log"    // a line that a program wrote: By is the program
	Exit   = "exit"   // a program has ended: By is the program, Code what it ended with
	Opened = "opened" // somebody opened Name, which is in /dev
	Closed = "closed" // somebody closed it
)

// A Sight is something that the agent saw, in the order in which it saw it.
type Sight struct {
	At     int64           `json:"at"` // CLOCK_MONOTONIC of the machine, in nanoseconds
	Kind   string          `json:"kind"`
	By     string          `json:"by,omitempty"`
	Name   string          `json:"name,omitempty"`
	Sender string          `json:"sender,omitempty"`
	Event  string          `json:"event,omitempty"`
	Data   json.RawMessage `json:"data,omitempty"`
	Text   string          `json:"text,omitempty"`
	Code   int             `json:"code,omitempty"`
}

// A Program is started by the command "start", under the name by which it is called later.
type Program struct {
	Name   string   `json:"name"`
	Args   []string `json:"args"`
	UID    uint32   `json:"uid,omitempty"`
	Groups []uint32 `json:"groups,omitempty"` // of a program that is not root
	Files  int      `json:"files,omitempty"`  // how many descriptors it inherits, beyond the three
}

// A Target is what the other commands act on; each takes of it what it needs.
type Target struct {
	Name   string `json:"name,omitempty"` // of a program, a listener or a file that is held
	Path   string `json:"path,omitempty"`
	Signal int    `json:"signal,omitempty"`
	Mode   uint32 `json:"mode,omitempty"`
	Text   string `json:"text,omitempty"`
	Slow   bool   `json:"slow,omitempty"` // a listener that takes one event and no more, until it is ended

	Sender string          `json:"sender,omitempty"`
	Method string          `json:"method,omitempty"`
	Params json.RawMessage `json:"params,omitempty"`
}

// A Process is how much a program holds.
type Process struct {
	Descriptors []string `json:"descriptors"` // what each leads to
	Threads     int      `json:"threads"`
	Resident    int      `json:"resident"` // memory of its own (RssAnon), in KiB
}

// A Terminal is how a port is set up.
type Terminal struct {
	HangUp  bool   `json:"hang_up"` // HUPCL
	Raw     bool   `json:"raw"`     // no echo, no lines, no signals
	Baud    uint32 `json:"baud"`
	DTR     bool   `json:"dtr"`
	RTS     bool   `json:"rts"`
	Latency bool   `json:"latency"` // ASYNC_LOW_LATENCY
}

// A Reply is how a request, or a program that ran to its end, was answered.
type Reply struct {
	At   int64           `json:"at"` // when it was
	Data json.RawMessage `json:"data,omitempty"`
	Text string          `json:"text,omitempty"` // the error; a program's standard output
	Err  string          `json:"err,omitempty"`  // a program's standard error
	Code int             `json:"code,omitempty"`
}
