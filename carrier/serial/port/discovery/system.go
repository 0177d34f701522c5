package discovery

// A Port is a serial port that is there.
type Port struct {
	Path    string // of its device file, or of a link to that
	USB     *USB   // nil: it is no USB adapter, or the system does not say
	Console bool   // the kernel writes its messages to it
}

// USB is what a USB adapter says of itself. Nothing of it needs to be unique.
type USB struct {
	Vendor  string `json:"vendor"`           // its id: four hexadecimal digits in lower case
	Product string `json:"product"`          // its id, likewise
	Serial  string `json:"serial,omitempty"` // its serial number; many have none
	Name    string `json:"name,omitempty"`   // maker and product, for people to read
	Socket  string `json:"socket,omitempty"` // where it is plugged in, as the system counts: 1-1.4 is hub 1-1's socket 4
}

// A System is a machine's serial ports. The zero System is this machine's.
type System struct {
	// Root goes before the paths of all files: a test has its own.
	Root string
}
