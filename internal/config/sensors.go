package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"sighub/internal/plain"
	"sighub/sensors"
	"sighub/sensors/drivers"
	"sighub/sensors/simulated"
)

// Sensing is what the gateway itself senses.
type Sensing struct {
	Auto       bool // every sensor that the kernel knows
	Sensors    []Sensor
	Pins       []Pin
	Thresholds []Threshold
}

// AutoSensors stands for every sensor that the kernel knows; NoSensors for none at all.
const (
	AutoSensors = "auto"
	NoSensors   = "none"
)

// A Sensor is one of the gateway's own: with a driver on a bus, or one of the kernel's.
type Sensor struct {
	Sender  string
	Kernel  string // its name, as kernel.Scan gives it; empty: it has a driver
	Driver  string
	Bus     Bus
	Address uint64
	Options drivers.Options
	Period  time.Duration // 0: the default of sensors.Source, as for all below
	Jitter  time.Duration
	Samples int
	Outputs []sensors.Output // none: every quantity as it is
}

// Source returns the sensor as a poller wants it, but for what opens it.
func (s *Sensor) Source() sensors.Source {
	return sensors.Source{
		Sender: s.Sender, Bus: s.Bus.String(), Outputs: s.Outputs, Period: s.Period, Jitter: s.Jitter, Samples: s.Samples,
	}
}

// place is what no two sensors can share.
func (s *Sensor) place() string {
	if s.Kernel != "" {
		return "the kernel's sensor " + s.Kernel
	}
	return fmt.Sprintf("address %#x on %s", s.Address, s.Bus)
}

func (d *decoder) sensors(n ast.Node, s *Sensing) {
	if text, ok := n.(*ast.StringNode); ok {
		s.Auto = text.Value == AutoSensors
		if !s.Auto && text.Value != NoSensors {
			d.fail(n, "sensors %q is not known: write auto, none, or a list", text.Value)
		}
		return
	}
	d.items(n, "sensors", func(n ast.Node) {
		if text, ok := n.(*ast.StringNode); ok {
			if text.Value != AutoSensors {
				d.fail(n, "%q is no sensor: write auto, or one as in driver: bh1750", text.Value)
			}
			s.Auto = true
			return
		}
		if sensor, ok := d.sensor(n); ok && d.only(n, sensor.place()) && d.name(n, sensor.Sender) {
			s.Sensors = append(s.Sensors, sensor)
		}
	})
}

// only notes what is there once, and refuses it the second time.
func (d *decoder) only(n ast.Node, what string) bool {
	if first := d.seen[what]; first > 0 {
		d.fail(n, "%s is on line %d already: remove one of them", what, first)
		return false
	}
	d.seen[what] = line(n)
	return true
}

func (d *decoder) name(n ast.Node, sender string) bool {
	if first := d.seen[senderMark+sender]; first > 0 {
		d.fail(n, "the sender of line %d is called %s, too: give each a name of its own, as in sender: kitchen", first, sender)
		return false
	}
	d.seen[senderMark+sender] = line(n)
	return true
}

// senderMark keeps the names of senders apart from the other things that are there only once.
const senderMark = "sender "

// sensor decodes one entry of sensors; it returns false if a fault was noted.
func (d *decoder) sensor(n ast.Node) (Sensor, bool) {
	var s Sensor
	before := len(d.errs)
	nodes := make(map[string]ast.Node) // where the values are that are checked in the end
	note := func(key string, decode func(n ast.Node)) field {
		return field{key, func(n ast.Node) { nodes[key] = n; decode(n) }}
	}
	text := func(key string, v *string) field {
		return note(key, func(n ast.Node) { *v, _ = d.text(n, key) })
	}
	fields := []field{
		text("driver", &s.Driver),
		text("kernel", &s.Kernel),
		note("bus", func(n ast.Node) {
			if text, ok := d.text(n, "bus"); ok {
				var err error
				s.Bus, err = ParseBus(text)
				d.check(n, err)
			}
		}),
		note("address", func(n ast.Node) { d.address(n, &s.Address) }),
		note("sender", func(n ast.Node) { d.sender(n, "sender", &s.Sender) }),
		{"period", func(n ast.Node) { d.duration(n, "period", &s.Period) }},
		{"jitter", func(n ast.Node) { d.duration(n, "jitter", &s.Jitter) }},
		{"samples", func(n ast.Node) { d.count(n, "samples", &s.Samples) }},
		note("events", func(n ast.Node) { d.outputs(n, &s.Outputs) }),
	}
	d.mapping(n, "a sensor", append(fields, d.options(&s.Options, note)...)...)
	if len(d.errs) == before {
		if s.Kernel != "" {
			d.checkKernel(&s, nodes)
		} else {
			d.checkDriver(n, &s, nodes)
		}
	}
	if len(d.errs) == before {
		source := s.Source()
		d.check(n, source.Check())
		s.Outputs = source.Outputs
	}
	return s, len(d.errs) == before
}

// checkKernel checks a sensor of the kernel's. What it measures is not known before it is opened.
func (d *decoder) checkKernel(s *Sensor, nodes map[string]ast.Node) {
	for key, at := range nodes {
		if !slices.Contains([]string{"kernel", "sender", "events"}, key) {
			d.fail(at, "%s is not for a sensor of the kernel's: remove it", key)
		}
	}
	s.Sender = cmp.Or(s.Sender, s.Kernel)
}

// checkDriver checks what only the driver knows: addresses, options, and what it measures.
func (d *decoder) checkDriver(n ast.Node, s *Sensor, nodes map[string]ast.Node) {
	at := func(key string) ast.Node {
		if value := nodes[key]; value != nil {
			return value
		}
		return n
	}
	if s.Driver == "" {
		d.fail(n, "this entry names no sensor: write one as in driver: bh1750, or kernel: cpu (`sighub sensors` lists them)")
		return
	}
	driver, err := drivers.Find(s.Driver)
	if !d.driver(at("driver"), err) {
		return
	}
	if nodes["bus"] == nil {
		d.fail(n, "this sensor names no bus: write one as in bus: I2C1 (`sighub sensors --scan` lists them)")
		return
	}
	if nodes["address"] == nil {
		if len(driver.Addresses) == 0 {
			d.fail(n, "this sensor names no address: write its 16 digits, as in 0x740000070e41ac28 (`sighub sensors --scan` lists them)")
			return
		}
		s.Address = uint64(driver.Addresses[0])
	}
	if s.Bus.Sim && !slices.Contains(simulated.Chips(), s.Driver) {
		d.fail(at("bus"), "there is no %s on a simulated bus, but %s", s.Driver, strings.Join(simulated.Chips(), ", "))
		return
	}
	if !d.check(at("bus"), s.Bus.suits(driver.Bus)) || !d.driver(at("address"), driver.Check(s.Address, drivers.Options{})) {
		return
	}
	if err := driver.Check(s.Address, s.Options); err != nil {
		where := n
		for _, key := range driver.Options {
			if strings.Contains(err.Error(), ": "+key) {
				where = at(key)
			}
		}
		d.driver(where, err)
		return
	}
	measures, err := driver.Measures(s.Options)
	if !d.driver(n, err) {
		return
	}
	var names []string
	for _, q := range measures {
		names = append(names, q.Name)
	}
	for _, o := range s.Outputs {
		if !slices.Contains(names, o.Quantity) {
			d.fail(at("events"), "a %s does not measure %q, but %s", s.Driver, o.Quantity, strings.Join(names, ", "))
		}
	}
	s.Sender = cmp.Or(s.Sender, s.Driver)
}

// driver notes a driver's error.
func (d *decoder) driver(n ast.Node, err error) bool {
	if err != nil {
		d.fail(n, "%s", plain.Text(err.Error()))
	}
	return err == nil
}

// outputs decodes what a sensor reports: quantities with the names of events, or with all that can be said of one.
func (d *decoder) outputs(n ast.Node, outputs *[]sensors.Output) {
	m, ok := n.(ast.MapNode)
	if !ok {
		d.fail(n, "events is %s: write a mapping of what is measured, as in lux: light", describe(n))
		return
	}
	for it := m.MapRange(); it.Next(); {
		o := sensors.Output{Quantity: strings.Trim(it.Key().String(), `"'`)}
		if value := unwrap(it.Value()); value != nil && !isNull(value) {
			d.value(value, func(n ast.Node) { d.output(n, &o) })
		}
		*outputs = append(*outputs, o)
	}
}

func (d *decoder) output(n ast.Node, o *sensors.Output) {
	if _, ok := n.(*ast.StringNode); ok {
		d.event(n, "event", &o.Event)
		return
	}
	number := func(key string, v *float64) field {
		return field{key, func(n ast.Node) { *v, _ = d.number(n, key) }}
	}
	d.mapping(n, "an event",
		field{"event", func(n ast.Node) { d.event(n, "event", &o.Event) }},
		field{"unit", func(n ast.Node) { o.Unit, _ = d.text(n, "unit") }},
		field{"factor", func(n ast.Node) {
			if v, ok := d.number(n, "factor"); ok && v == 0 {
				d.fail(n, "factor is 0: nothing would be left of the value")
			} else {
				o.Factor = v
			}
		}},
		number("offset", &o.Offset),
		number("change", &o.Change),
		field{"min_interval", func(n ast.Node) { d.duration(n, "min_interval", &o.MinInterval) }},
		field{"max_interval", func(n ast.Node) { d.duration(n, "max_interval", &o.MaxInterval) }},
	)
}
