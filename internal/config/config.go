package config

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"sighub/internal/address"
)

// A Config is what the hub is told to do. What nobody gave has its default.
type Config struct {
	Listen []address.Address
	Serial []Port // empty: none, as it was asked for
	State  string // the folder of what is remembered from one run to the next; empty: the system's usual place
	Limits Limits
	Log    Log

	Sensing Sensing

	said bool // which serial ports there are
}

// A Port is a serial port with a device on it, or any number of them.
type Port struct {
	Port   string // a path, or a pattern of several
	Baud   int    // 300 to 4,000,000; 0: automatic
	Opener string // one of Openers, or empty for the system's best
	Name   string // instead of the device's own; empty: its own
	Naming string // contains {sender}
	DTROff bool
	RTSOff bool
}

// Limits bound what clients may cost.
type Limits struct {
	MessageSize    int // bytes
	Clients        int
	Senders        int // of one client
	Listeners      int // of one client
	Outstanding    int // messages of one client
	Outbox         int // events for one client
	OutboxMemory   int // bytes of all of these together
	SlowListener   string
	BlockDeadline  time.Duration
	RequestTimeout time.Duration
}

// Log says what is logged, and how.
type Log struct {
	Level  string
	Format string
}

// defaultAddress is where a hub listens that was not told otherwise.
var defaultAddress = address.Address{Network: "tcp", Addr: "127.0.0.1:3000"}

// What a serial port has that is not told otherwise.
const (
	DefaultBaud   = 0
	DefaultNaming = "{sender}"
)

// AutoPort stands for every USB serial adapter. It is what a hub serves that was not told otherwise; NoPort stands for
// none at all.
const (
	AutoPort = "auto"
	NoPort   = "none"
)

// The values that some keys choose among; the first one of SlowListeners is the default.
func lineLevels() []string    { return []string{"on", lineOff} }
func openers() []string       { return []string{"native", "bugst", "tarm"} }
func logLevels() []string     { return []string{"debug", "info", "warn", "error"} }
func logFormats() []string    { return []string{"text", "json"} }
func slowListeners() []string { return []string{"block", "latest", "disconnect"} }

// Default returns the configuration of an empty file.
func Default() *Config {
	c := defaults()
	c.complete()
	return c
}

// defaults are all defaults but that of the addresses, which stands for none at all.
func defaults() *Config {
	return &Config{
		Limits: Limits{
			MessageSize: 1 << 20, Clients: 10_000, Senders: 256, Listeners: 4096, Outstanding: 1024, Outbox: 1024, OutboxMemory: 256 << 20,
			SlowListener: "block", BlockDeadline: 2 * time.Second, RequestTimeout: 10 * time.Second,
		},
		Log: Log{Level: "info", Format: "text"},
	}
}

func (c *Config) complete() {
	if len(c.Listen) == 0 {
		c.Listen = []address.Address{defaultAddress}
	}
	if !c.said {
		c.Serial = []Port{{Port: AutoPort, Baud: DefaultBaud, Naming: DefaultNaming}}
	}
}

// Load reads a file. The error is one that could not be read, or joins an [*Error] for each fault.
func Load(file string) (*Config, error) {
	data, err := read(file, "--config")
	if err != nil {
		return nil, err
	}
	return Parse(file, data)
}

// read reads a file that an option of the command line names.
func read(file, option string) ([]byte, error) {
	info, err := os.Stat(file)
	if err == nil && info.Size() > maxFile {
		return nil, fmt.Errorf("%s: %d bytes are too many for a configuration: the limit is %d", file, info.Size(), maxFile)
	}
	data, err := os.ReadFile(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%s: no such file: check the path given to %s", file, option)
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("%s: permission denied: make the file readable for this user", file)
	case err != nil:
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return data, nil
}

// listed reports whether the address is one of the list; two of port 0 are different ports.
func listed(a address.Address, list []address.Address) bool {
	return !strings.HasSuffix(a.Addr, ":0") && slices.Contains(list, a)
}

// maxFile bounds what is read, in bytes: a thousand ports need a tenth of it.
const maxFile = 1 << 20

// Add takes over what the command line says: addresses replace those of the file, ports are added to those of the file,
// if it names any. The port none takes all others away.
func (c *Config) Add(listen, serial []string) error {
	var errs []error
	if len(listen) > 0 {
		c.Listen = nil
	}
	for _, text := range listen {
		a, err := address.Parse(text)
		if err == nil && listed(a, c.Listen) {
			err = fmt.Errorf("%s is there twice: remove one of them", a)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("--listen %s: %w", text, err))
			continue
		}
		c.Listen = append(c.Listen, a)
	}
	if slices.Contains(serial, NoPort) || len(serial) > 0 && !c.said {
		c.Serial, c.said = nil, true
	}
	for _, text := range serial {
		if text == NoPort && len(serial) == 1 {
			break
		}
		p, err := ParsePort(text)
		if err == nil && hasPort(c.Serial, p.Port) {
			err = fmt.Errorf("%s is there twice, in the file or on the command line: remove one of them", p.Port)
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

// Summary says in a few words what the configuration holds.
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

// orList joins alternatives for people to read: "a, b or c".
func orList(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " or " + list[len(list)-1]
}
