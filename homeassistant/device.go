package homeassistant

import "time"

// A Hub is what is announced of a hub: a device of its own, through which the others are reached.
type Hub struct {
	ID      string // never changes, and no other hub at the broker has it
	Name    string // for people
	Version string
}

// A Device is what a hub knows of a device. Its senders may be connected or not.
type Device struct {
	// UID is the device's own, which never changes. It is empty for the hub itself: for sensors of its own, and for programs, which
	// have names alone.
	UID     string
	Name    string // for people; empty: the UID
	Senders []Sender
}

// A Sender is a sender of a device.
type Sender struct {
	Name     string
	Events   []Event // without the built-in ones
	Requests []string
}

// An Event is an event of a sender.
type Event struct {
	Name string
	Unit string // of SenML; empty: none is known
	Kind Kind   // of the data that it had last
	// Interval is how often it comes at least, if it is reported all the time; 0: it is not, or that is not known.
	Interval time.Duration
}

// A Kind is what data is.
type Kind string

// The kinds of data.
const (
	Unknown Kind = "" // there was none yet
	Number  Kind = "number"
	Boolean Kind = "boolean"
	Text    Kind = "text"
	Nothing Kind = "nothing" // null
	Other   Kind = "other"   // a list or a map, or bytes
)
