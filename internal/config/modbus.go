package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"sighub/carrier/serial/port"
	"sighub/internal/yamlfile"
	"sighub/sensors/modbus"
	"sighub/sensors/modbus/frame"
	"sighub/sensors/modbus/profile"
)

// speaksModbus is what a port may speak, too.
const speaksModbus = "modbus"

// DefaultModbusBaud is the rate of a bus whose rate is not given: that of most devices as they come.
const DefaultModbusBaud = 9600

// framings are how messages lie on a line. By default they are frames of RTU, and over tcp:// those of Modbus TCP.
func framings() []string { return []string{"rtu", "tcp"} }

// modbusKeys are the keys of an entry of serial for a bus of Modbus, beside sender and events.
func modbusKeys() []string {
	return append(modbusQueryKeys(), "most", "gap", "registers", "devices")
}

// modbusQueryKeys are those of modbusKeys that fit into one text, as on the command line.
func modbusQueryKeys() []string {
	return []string{"id", "profile", "framing", "timeout", "pause", "interval"}
}

// profileFolder is the folder of the user's own profiles, beside the configuration.
const profileFolder = "modbus"

// A modbusEntry is what an entry of serial says of a bus.
type modbusEntry struct {
	library profile.Library
	named   []string // the keys of modbusKeys that were given
	framing string
	options modbus.Options
	one     modbusDevice // if the entry itself is the device
	list    bool         // it has devices
}

// A modbusDevice is a device as it is written.
type modbusDevice struct {
	id      int
	profile string
	sender  string
	events  []string
	own     profile.Profile
	given   bool // an id was
}

// libraryFor returns the profiles for a configuration in a file.
func libraryFor(file string) profile.Library {
	if file == stdinName || file == "" {
		return profile.Library{}
	}
	return profile.Library{Folder: filepath.Join(filepath.Dir(file), profileFolder)}
}

// set sets a key of modbusQueryKeys.
func (m *modbusEntry) set(key, value string) error {
	m.named = append(m.named, key)
	switch key {
	case "id":
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > 255 {
			return fmt.Errorf("id %q is not the number of a unit: write 1 to %d", value, frame.MaxUnit)
		}
		m.one.id, m.one.given = n, true
	case "profile":
		m.one.profile = value
	case "framing":
		m.framing = strings.ToLower(value)
		return checkOneOf("framing", m.framing, framings())
	case "timeout":
		return setTime(key, value, &m.options.Timeout)
	case "pause":
		return setTime(key, value, &m.options.Pause)
	case "interval":
		return setTime(key, value, &m.one.own.Interval)
	}
	return nil
}

func setTime(key, value string, v *time.Duration) (err error) {
	if *v, err = time.ParseDuration(value); err != nil || *v < time.Millisecond || *v > 24*time.Hour {
		return fmt.Errorf("%s %q is no time from 1ms to 24h: write one such as 500ms", key, value)
	}
	return nil
}

// fields returns the fields of an entry of serial for a bus.
func (m *modbusEntry) fields(d *decoder) []yamlfile.Field {
	var fields []yamlfile.Field
	for _, key := range []string{"id", "framing", "timeout", "pause"} {
		fields = append(fields, yamlfile.Key(key, func(n ast.Node) {
			if text, ok := d.word(n, key); ok {
				d.Check(n, m.set(key, text))
			}
		}))
	}
	fields = append(fields, yamlfile.Key("profile", func(n ast.Node) {
		if text, ok := d.Text(n, "profile"); ok {
			d.Check(n, m.set("profile", text))
		}
	}), yamlfile.Key("devices", func(n ast.Node) {
		m.named, m.list = append(m.named, "devices"), true
		d.Items(n, "devices", func(n ast.Node) { d.modbusDevice(n, m) })
	}))
	for _, f := range profile.Fields(d.Decoder, &m.one.own, new(ast.Node)) {
		decode := f.Decode
		f.Decode = func(n ast.Node) {
			m.named = append(m.named, f.Key)
			decode(n)
		}
		fields = append(fields, f)
	}
	return fields
}

// modbusDevice decodes one of several devices on a bus.
func (d *decoder) modbusDevice(n ast.Node, m *modbusEntry) {
	before := d.Found()
	var one modbusDevice
	d.Mapping(n, "a device of Modbus", append(profile.Fields(d.Decoder, &one.own, new(ast.Node)),
		yamlfile.Key("id", func(n ast.Node) {
			if i, ok := d.integer(n, "id"); ok && (i < 0 || i > 255) {
				d.Fail(n, "id %d is not the number of a unit: write 1 to %d", i, frame.MaxUnit)
			} else if ok {
				one.id, one.given = i, true
			}
		}),
		d.textField("profile", &one.profile),
		yamlfile.Key("sender", func(n ast.Node) { d.sender(n, "sender", &one.sender) }),
		yamlfile.Key("events", func(n ast.Node) { d.texts(n, "events", &one.events) }),
	)...)
	if d.Found() > before {
		return
	}
	device, err := one.device(m.library)
	if d.Check(n, err) {
		m.options.Devices = append(m.options.Devices, device)
	}
}

// device returns the device that is described.
func (o *modbusDevice) device(library profile.Library) (modbus.Device, error) {
	known := new(profile.Profile)
	switch {
	case !o.given:
		return modbus.Device{}, errors.New("a device of Modbus needs an id, the number of its unit on the bus: write one, such as id: 1")
	case o.profile == "" && len(o.own.Registers) == 0:
		return modbus.Device{}, fmt.Errorf("a device of Modbus needs a profile, or registers: write profile: %s", yamlfile.OrList(profile.Names()))
	case o.profile != "":
		var err error
		if known, err = library.Find(o.profile); err != nil {
			return modbus.Device{}, fmt.Errorf("profile %s: %s", o.profile, strings.ReplaceAll(err.Error(), "\n", "; "))
		}
	}
	whole, err := known.With(&o.own, o.events)
	return modbus.Device{ID: o.id, Sender: o.sender, Kind: o.profile, Profile: whole}, err
}

// finish completes what a port speaks, once all keys are known. sender and events are those of the entry, and named are the keys for
// lines that were given.
func (m *modbusEntry) finish(p *Port, sender string, events, named []string) error {
	if p.Modbus == nil {
		if len(m.named) > 0 {
			return fmt.Errorf("%s is for a port with devices of Modbus: write speaks: modbus, too", m.named[0])
		}
		return nil
	}
	for _, key := range named {
		if key != "sender" && key != "events" {
			return fmt.Errorf("%s is for a port whose device prints lines: leave it out", key)
		}
	}
	m.one.sender, m.one.events = sender, events
	switch single := m.one.given || m.one.profile != "" || len(m.one.own.Registers) > 0 || sender != "" || len(events) > 0; {
	case single && m.list:
		return errors.New("the entry has devices, and is one itself: write id, profile, sender, events and registers below devices")
	case m.list && (m.one.own.Interval > 0 || m.one.own.Most > 0 || m.one.own.Gap > 0):
		return errors.New("interval, most and gap are those of a device: write them below devices")
	case !m.list:
		device, err := m.one.device(m.library)
		if err != nil {
			return err
		}
		m.options.Devices = []modbus.Device{device}
	}
	m.options.TCP = m.framing == "tcp" || m.framing == "" && strings.HasPrefix(p.Port, "tcp://")
	*p.Modbus = m.options
	return p.checkModbus()
}

// checkModbus returns what is wrong with a port that is a bus.
func (p *Port) checkModbus() error {
	s := &p.Settings
	switch {
	case p.Lines != nil || p.Exclude:
		return errors.New("exclude and speaks: leave one of them out")
	case p.Port == AutoPort:
		return errors.New("auto finds what speaks sighub's protocol: name the port of a bus, by path or by USB ids")
	case p.Name != "" || p.Naming != DefaultNaming:
		return errors.New("name and naming are for devices that say their names: write sender")
	case p.May != 0:
		return errors.New("a device of Modbus asks for nothing: leave may out")
	case s.Data != 0 && s.Data != 8 || s.Flow == port.XONXOFF:
		return errors.New("frames of Modbus use all bytes: leave data, and flow xonxoff, out")
	}
	p.Modbus.Settings = *s
	p.Modbus.Settings.Baud = p.Baud
	return p.Modbus.Check()
}

// modbusSenders returns the senders of the port's bus, as they are written.
func (p *Port) modbusSenders() (names []string) {
	if p.Modbus != nil {
		for i := range p.Modbus.Devices {
			names = append(names, p.Modbus.Devices[i].Sender)
		}
	}
	return names
}
