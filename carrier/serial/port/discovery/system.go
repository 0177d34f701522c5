package discovery

// A Port is a serial port that is there.
type Port struct {
	Path    string // of its device file, or of a link to it
	USB     *USB   // nil: it is not a USB adapter, or the system does not say
	Console bool   // the kernel writes its messages to it
}

// USB is what a USB adapter says of itself. None of it is necessarily unique.
type USB struct {
	Vendor  string `json:"vendor"`           // four hexadecimal digits in lower case
	Product string `json:"product"`          // likewise
	Serial  string `json:"serial,omitempty"` // many adapters have none
	Name    string `json:"name,omitempty"`   // maker and product, for people to read
	Socket  string `json:"socket,omitempty"` // where it is plugged in: 1-1.4 is socket 4 of USB hub 1-1
}

// A System is a machine that has serial ports. The zero System is this machine.
type System struct {
	// Root is prepended to the paths of all files, for tests.
	Root string
}
