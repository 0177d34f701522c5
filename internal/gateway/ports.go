package gateway

import (
	"cmp"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"sighub/carrier/serial"
	"sighub/carrier/serial/port"
	"sighub/carrier/serial/port/discovery"
	"sighub/carrier/serial/port/remote"
	"sighub/hub"
	"sighub/internal/config"
	"sighub/sensors/lines"
	"sighub/sensors/lines/formats"
	"sighub/sensors/modbus"
)

// Ports returns the serial ports of a configuration. Those on which lines are spoken have senders of their own on the router, which
// must be there when a port is opened.
func Ports(cfg *config.Config, router func() *hub.Router, log *slog.Logger) (list []serial.PortOptions, err error) {
	for i := range cfg.Serial {
		p := &cfg.Serial[i]
		opener, err := openerOf(p)
		if err != nil {
			return nil, err
		}
		o := serial.PortOptions{
			Port: p.Port, Baud: p.Baud, Opener: opener, Name: p.Name, Naming: p.Naming, DTROff: p.DTROff, RTSOff: p.RTSOff, May: p.May,
			Settings: p.Settings, Exclude: p.Exclude,
		}
		if p.Lines != nil {
			if err := p.Lines.Check(); err != nil {
				return nil, fmt.Errorf("the port %s: %w", p.Port, err)
			}
			o.Settings.Fresh = true // lines have the time at which they come
			o.Speaker = func(at discovery.Port) serial.Speaker {
				place := lines.Place{Path: at.Path, Router: router, Logger: log}
				if at.USB != nil {
					place.SerialNumber = at.USB.Serial
				}
				speaker, _ := lines.New(*p.Lines, place) // its options were checked
				return speaker
			}
		}
		if p.Modbus != nil {
			if err := p.Modbus.Check(); err != nil {
				return nil, fmt.Errorf("the port %s: %w", p.Port, err)
			}
			o.Settings.Fresh = true // an answer from before answers nothing
			o.Baud = cmp.Or(p.Baud, config.DefaultModbusBaud)
			o.Speaker = func(at discovery.Port) serial.Speaker {
				place := modbus.Place{Path: at.Path, Router: router, Logger: log}
				if at.USB != nil {
					place.SerialNumber = at.USB.Serial
				}
				speaker, _ := modbus.New(*p.Modbus, place) // its options were checked
				return speaker
			}
		}
		list = append(list, o)
	}
	return list, nil
}

// openerOf returns what opens a port.
func openerOf(p *config.Port) (port.Opener, error) {
	if remote.Is(p.Port) {
		return remote.Opener{}, nil
	}
	return port.NewOpener(p.Opener)
}

// LineSenders returns the names of senders that print lines, or are on a bus of Modbus, as far as they are known before their ports are.
func LineSenders(cfg *config.Config) (names []string) {
	add := func(name string) {
		if !strings.Contains(name, "{") {
			names = append(names, name)
		}
	}
	for _, p := range cfg.Serial {
		if p.Lines != nil {
			add(p.Lines.Sender)
		}
		if p.Modbus != nil {
			for i := range p.Modbus.Devices {
				add(p.Modbus.Devices[i].Sender)
			}
		}
	}
	return names
}

// Recognize says what text from a port looks like, and what to write into the configuration to serve it.
func Recognize(path string, baud int, text string) (looks, remedy string, ok bool) {
	look, ok := formats.Looks(formats.Lines(text))
	if !ok {
		return "", "", false
	}
	return look.Format, "to serve it, write under serial: " + Entry(path, baud, look), true
}

// Entry returns the entry of serial for a device whose text has been looked at. The rate is 0 if it is not known.
func Entry(path string, baud int, look formats.Look) string {
	text := "{port: " + Quoted(path)
	if baud > 0 {
		text += ", baud: " + strconv.Itoa(baud)
	}
	text += ", speaks: lines, format: " + look.Format
	if look.Columns > 0 {
		text += ", columns: [" + strings.Join(columns(look), ", ") + "]"
	}
	if look.Comma {
		text += ", decimal: comma"
	}
	if look.Unchecked {
		text += ", checksum: off"
	}
	return text + ", sender: " + remote.Base(strings.Trim(path, `"`)) + "}"
}

// Quoted returns a path as YAML has it.
func Quoted(path string) string {
	if strings.ContainsAny(path, ",{}[]#&*!|>'\"%@` ") {
		return strconv.Quote(path)
	}
	return path
}

// columns returns names for columns that have none.
func columns(look formats.Look) (names []string) {
	for i := range look.Columns {
		names = append(names, fmt.Sprintf("value%d", i+1))
	}
	return names
}
