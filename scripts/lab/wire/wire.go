// Package wire is the protocol between the two halves of the laboratory: the program on this machine, and the agent inside the
// machine that it boots. Both write JSON, one object per line. The program sends a [Call], and the agent answers it, now or later.
// In between, the agent reports what it sees.
package wire

import "encoding/json"

// A Call is a command for the agent. The agent handles calls concurrently.
type Call struct {
	ID   uint64          `json:"id"`
	Do   string          `json:"do"` // the name of the command
	With json.RawMessage `json:"with"`
}

// A Line is what the agent writes. One of its fields is set.
type Line struct {
	Answer *Answer `json:"answer,omitempty"`
	Sight  *Sight  `json:"sight,omitempty"`
}

// An Answer is the result of a call.
type Answer struct {
	ID     uint64          `json:"id"`
	Error  string          `json:"error,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
}

// The kinds of sights.
const (
	Ready  = "ready"  // the agent is ready; Text is the kernel's version
	Uevent = "uevent" // the kernel announces a terminal device: Name is ttyUSB0, Text is add or remove
	Kernel = "kernel" // a line of the kernel's log
	Heard  = "heard"  // a listener has heard an event: By is the listener
	Log    = "log"    // a line that a program wrote: By is the program
	Exit   = "exit"   // a program has ended: By is the program, Code its exit code
	Opened = "opened" // a program has opened Name, which is in /dev
	Closed = "closed" // a program has closed it
)

// A Sight is something that the agent has seen.
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

// A Program is the parameter of the command "start". Later calls use its name.
type Program struct {
	Name  string   `json:"name"`
	Args  []string `json:"args"`
	UID   uint32   `json:"uid,omitempty"`
	Files int      `json:"files,omitempty"` // how many descriptors it inherits besides the standard three
}

// A Target is the parameter of all other commands. Each uses the fields that it needs.
type Target struct {
	Name   string `json:"name,omitempty"` // of a program, a listener or a held file
	Path   string `json:"path,omitempty"`
	Signal int    `json:"signal,omitempty"`
	Mode   uint32 `json:"mode,omitempty"`
	Text   string `json:"text,omitempty"`
	Slow   bool   `json:"slow,omitempty"` // a listener that accepts one event and no more

	Sender string `json:"sender,omitempty"`
	Method string `json:"method,omitempty"`
}

// A Process describes the resources of a program.
type Process struct {
	Descriptors []string `json:"descriptors"` // what each refers to
	Threads     int      `json:"threads"`
	Resident    int      `json:"resident"` // memory of its own (RssAnon), in KiB
}

// A Terminal has the settings of a port.
type Terminal struct {
	HangUp bool   `json:"hang_up"` // HUPCL
	Raw    bool   `json:"raw"`     // no echo, no lines, no signals
	Baud   uint32 `json:"baud"`
	Format string `json:"format"` // of a byte: 8N1
	XON    bool   `json:"xon"`    // flow control by XON and XOFF
	DTR    bool   `json:"dtr"`
	RTS    bool   `json:"rts"`
}

// A Reply is the result of a request, or of a program that has ended.
type Reply struct {
	At   int64           `json:"at"` // when it came
	Data json.RawMessage `json:"data,omitempty"`
	Text string          `json:"text,omitempty"` // the error; a program's standard output
	Err  string          `json:"err,omitempty"`  // a program's standard error
	Code int             `json:"code,omitempty"`
}
