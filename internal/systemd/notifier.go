package systemd

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// The lines that a [Notifier] sends.
const (
	Ready     = "READY=1"     // the service serves, for the first time or again
	Reloading = "RELOADING=1" // it reads its configuration; Ready follows
	Stopping  = "STOPPING=1"
	Alive     = "WATCHDOG=1" // it is alive
)

// patience is how long systemd may take to take a message.
const patience = 5 * time.Second

// A Notifier sends messages to the service manager that has started the process. A nil Notifier sends nothing.
type Notifier struct {
	socket   string
	watchdog time.Duration
}

// FromEnvironment returns a Notifier as the variables NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID describe it, for the process pid.
// It returns nil if no service manager has started the process that wants to hear of it.
func FromEnvironment(getenv func(string) string, pid int) (*Notifier, error) {
	n := &Notifier{socket: getenv("NOTIFY_SOCKET")}
	switch {
	case n.socket == "":
		return nil, nil //nolint:nilnil // a nil Notifier is of use
	case n.socket[0] != '/' && n.socket[0] != '@':
		return nil, fmt.Errorf("NOTIFY_SOCKET is %q: only Unix sockets are supported, by path or as @name", n.socket)
	}
	usec, owner := getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID")
	if usec == "" || owner != "" && owner != strconv.Itoa(pid) { // the watchdog is another process's
		return n, nil
	}
	const most = int64(1<<63-1) / int64(time.Microsecond)
	us, err := strconv.ParseInt(usec, 10, 64)
	if err != nil || us <= 0 || us > most {
		return nil, fmt.Errorf("WATCHDOG_USEC is %q: it must be a number of microseconds", usec)
	}
	n.watchdog = time.Duration(us) * time.Microsecond
	return n, nil
}

// Watchdog returns how long the process may be silent before it counts as dead, or 0 if it may be silent for ever. Send [Alive] at
// least twice in this time.
func (n *Notifier) Watchdog() time.Duration {
	if n == nil {
		return 0
	}
	return n.watchdog
}

// Notify sends lines in one message.
func (n *Notifier) Notify(lines ...string) error {
	if n == nil {
		return nil
	}
	// A socket whose name begins with @ is an abstract one, for package net as for systemd.
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"})
	if err == nil {
		_ = conn.SetWriteDeadline(time.Now().Add(patience)) // the deadline of a socket that is open can be set
		_, err = conn.Write([]byte(strings.Join(lines, "\n")))
		_ = conn.Close() // the message has left
	}
	if err != nil {
		return fmt.Errorf("the service manager cannot be told %s: %w", lines[0], err)
	}
	return nil
}

// Status returns the line that says, to people, how the service is.
func Status(text string) string {
	return "STATUS=" + strings.Join(strings.Fields(text), " ") // a line break would begin another line
}
