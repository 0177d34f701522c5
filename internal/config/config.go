package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/port"
	"sighub/hub"
	"sighub/internal/address"
	"sighub/sensors/lines"
	"sighub/sensors/modbus"
)

// A Config is a complete configuration: what the file does not say has its default.
type Config struct {
	Listen []address.Address
	Serial []Port // empty: none at all
	State  string // the folder for what the hub remembers between runs; empty: the system's usual place
	TLS    TLS    `json:",omitzero"`
	HTTP   HTTP   `json:",omitzero"`
	Access Access `json:",omitzero"`
	Limits Limits
	Log    Log

	Journal Journal
	Bridges Bridges `json:",omitzero"`

	HomeAssistant PortAnnouncements `json:",omitzero"` // at the hub's own MQTT port

	Sensing Sensing

	portsGiven bool // Serial was given, so auto is not the default

	file     string
	lines    map[string]int // of parts in the file: see Warn
	warnings []*Error
}

// TLS says which certificate is shown in TLS. If it is zero, the hub makes its own.
type TLS struct {
	Certificate, Key string // files in PEM
}

// HTTP says who may ask over HTTP.
type HTTP struct {
	Hosts []string // names of the hub, beside its own, whose pages may ask
	Base  string   `json:",omitempty"` // the path of a proxy that passes it on
}

// A Port is one serial port with a device on it, or every port that matches a pattern.
type Port struct {
	Port   string // a path or a pattern
	Baud   int    // 300 to 4,000,000; 0: automatic
	Opener string // native, bugst or tarm; empty: the best for this system
	Name   string // replaces the device's own name; empty: its own
	Naming string // contains {sender}
	DTROff bool
	RTSOff bool
	May    carrier.Rights `json:",omitempty"` // of its devices

	Settings port.Settings   `json:",omitzero"`  // beside the rate and the modem lines
	Lines    *lines.Options  `json:",omitempty"` // not nil: it prints lines
	Modbus   *modbus.Options `json:",omitempty"` // not nil: it is a bus of Modbus
	Exclude  bool            `json:",omitempty"` // it is left alone
}

// Limits bound what clients may use.
type Limits struct {
	MessageSize    int // bytes
	Clients        int
	AddressClients int // of one IP address
	Senders        int // of one client
	Listeners      int // of one client
	Outstanding    int // messages of one client
	Outbox         int // events that wait for one client
	Memory         int // bytes, of all that the hub holds for clients
	SlowListener   hub.Policy
	BlockDeadline  time.Duration
	RequestTimeout time.Duration
	EventTimes     string        // which times an event may have: plausibleTimes or anyTimes
	HelloTimeout   time.Duration // from a client's connecting to the end of its first message
	MessageTimeout time.Duration // from the beginning of a message to its end
	WriteTimeout   time.Duration // in which a client may read nothing
}

// What EventTimes may be.
const (
	plausibleTimes = "plausible"
	anyTimes       = "any"
)

// Times returns the times that an event may have.
func (l *Limits) Times() hub.TimeRange { return hub.TimeRange{Any: l.EventTimes == anyTimes} }

func eventTimes() []string { return []string{plausibleTimes, anyTimes} }

// Log says what the hub logs, and in which format.
type Log struct {
	Level  string
	Format string
}

// defaultAddress is where a hub listens by default.
var defaultAddress = address.Address{Network: "tcp", Addr: "127.0.0.1:3000"}

// The defaults of a serial port.
const (
	DefaultBaud   = 0
	DefaultNaming = "{sender}"
)

// AutoPort stands for every USB serial adapter; it is the default. NoPort stands for no port at all.
const (
	AutoPort = "auto"
	NoPort   = "none"
)

// The values that some keys accept.
func openers() []string    { return []string{"native", "bugst", "tarm"} }
func logLevels() []string  { return []string{"debug", "info", "warn", "error"} }
func logFormats() []string { return []string{"text", "json"} }
func slowListeners() (texts []string) {
	for _, p := range hub.Policies() {
		texts = append(texts, string(p))
	}
	return texts
}

// Default returns the configuration of an empty file.
func Default() *Config {
	c := defaults()
	c.complete()
	return c
}

// defaults returns the defaults of everything but addresses and ports, which complete adds if none are given.
func defaults() *Config {
	return &Config{
		Limits: Limits{
			MessageSize: 1 << 20, Clients: 10_000, Senders: 256, Listeners: 4096, Outstanding: 1024, Outbox: 1024,
			Memory: carrier.DefaultBudget, SlowListener: hub.Block, BlockDeadline: 2 * time.Second, RequestTimeout: 10 * time.Second,
			EventTimes: plausibleTimes, HelloTimeout: 10 * time.Second, MessageTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second,
		},
		Log:     Log{Level: "info", Format: "text"},
		Journal: defaultJournal(),
	}
}

func (c *Config) complete() {
	if c.Limits.AddressClients == 0 {
		c.Limits.AddressClients = max(64, c.Limits.Clients/2)
	}
	if len(c.Listen) == 0 {
		c.Listen = []address.Address{defaultAddress}
	}
	if !c.portsGiven {
		c.Serial = []Port{{Port: AutoPort, Baud: DefaultBaud, Naming: DefaultNaming}}
	}
}

// listed reports whether the address is in the list. Two addresses of port 0 are different ports.
func listed(a address.Address, list []address.Address) bool {
	return !strings.HasSuffix(a.Addr, ":0") && slices.ContainsFunc(list, a.Same)
}

// Add applies the command line: addresses replace those of the file, and ports are added to those of the file, if it names
// any. The port none removes all others.
func (c *Config) Add(listen, serial []string) error {
	var errs []error
	if len(listen) > 0 {
		c.Listen = nil
	}
	for _, text := range listen {
		a, err := address.ParseListen(text)
		if err == nil && listed(a, c.Listen) {
			err = fmt.Errorf("%s is given twice: remove one of them", a)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("--listen %s: %w", text, err))
			continue
		}
		c.Listen = append(c.Listen, a)
	}
	if slices.Contains(serial, NoPort) || len(serial) > 0 && !c.portsGiven {
		c.Serial, c.portsGiven = nil, true
	}
	for _, text := range serial {
		if text == NoPort && len(serial) == 1 {
			break
		}
		p, err := ParsePort(text)
		if err == nil && hasPort(c.Serial, p.Port) {
			err = fmt.Errorf("%s is given twice, in the file or on the command line: remove one of them", p.Port)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("--serial %s: %w", text, err))
			continue
		}
		c.Serial = append(c.Serial, p)
	}
	return errors.Join(errs...)
}

func hasPort(ports []Port, port string) bool {
	return slices.ContainsFunc(ports, func(p Port) bool { return p.Port == port })
}

// Summary describes the configuration in a few words.
func (c *Config) Summary() string {
	ports := make([]string, len(c.Serial))
	for i, p := range c.Serial {
		ports[i] = p.Port
	}
	return plural(len(c.Listen), "address", "addresses") + ", serial ports: " + cmp.Or(strings.Join(ports, ", "), NoPort) + c.Sensing.summary()
}

func plural(n int, one, many string) string {
	switch n {
	case 0:
		return "no " + many
	case 1:
		return "1 " + one
	default:
		return fmt.Sprintf("%d %s", n, many)
	}
}
