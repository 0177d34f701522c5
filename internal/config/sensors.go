package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"sighub/internal/yamlfile"
	"sighub/sensors"
	"sighub/sensors/drivers"
	"sighub/sensors/simulated"
)

// Sensing is what the gateway senses itself.
type Sensing struct {
	Auto       bool // every sensor that the kernel knows
	Sensors    []Sensor
	Pins       []Pin
	Thresholds []Threshold
}

// AutoSensors stands for every sensor that the kernel knows, NoSensors for none at all.
const (
	AutoSensors = "auto"
	NoSensors   = "none"
)

// A Sensor is a sensor of the gateway: a device on a bus with a driver, or a sensor of the kernel.
type Sensor struct {
	Sender  string
	Kernel  string // the name that kernel.Scan gives it; empty: it has a driver
	Driver  string
	Bus     Bus
	Address uint64
	Options drivers.Options
	Period  time.Duration // 0: the default of sensors.Source, as for all fields below
	Jitter  time.Duration
	Samples int
	Outputs []sensors.Output // empty: every quantity as it is

	quantities []string // that the driver measures; nil if that is not known
}

// Source returns the sensor as a source for a Poller. The caller sets Open.
func (s *Sensor) Source() sensors.Source {
	return sensors.Source{
		Sender: s.Sender, Bus: s.Bus.String(), Outputs: s.Outputs, Period: s.Period, Jitter: s.Jitter, Samples: s.Samples,
	}
}

// Place returns where the sensor is. No two sensors can be at the same place.
func (s *Sensor) Place() string {
	if s.Kernel != "" {
		return "the kernel's sensor " + s.Kernel
	}
	return fmt.Sprintf("address %#x on %s", s.Address, s.Bus)
}

func (d *decoder) sensors(n ast.Node, s *Sensing) {
	if text, ok := n.(*ast.StringNode); ok {
		s.Auto = text.Value == AutoSensors
		if !s.Auto && text.Value != NoSensors {
			d.Fail(n, "sensors %q is not known: write auto, none, or a list", text.Value)
		}
		return
	}
	d.Items(n, "sensors", func(n ast.Node) {
		if text, ok := n.(*ast.StringNode); ok {
			if text.Value != AutoSensors {
				d.Fail(n, "%q is not a sensor: write auto, or one such as driver: bh1750", text.Value)
			}
			s.Auto = true
			return
		}
		if sensor, ok := d.sensor(n); ok && d.only(n, sensor.Place()) && d.name(n, sensor.Sender) {
			s.Sensors = append(s.Sensors, sensor)
		}
	})
}

// only records something that may appear only once. It returns false, and reports an error, the second time.
func (d *decoder) only(n ast.Node, what string) bool {
	if first := d.seen[what]; first > 0 {
		d.Fail(n, "%s is already on line %d: remove one of them", what, first)
		return false
	}
	d.seen[what], _ = yamlfile.Place(n.GetToken())
	return true
}

// name records the name of a sender, which may appear only once.
func (d *decoder) name(n ast.Node, sender string) bool {
	if first := d.seen[senderMark+sender]; first > 0 {
		d.Fail(n, "the sender on line %d is also called %s: give each its own name, such as sender: kitchen", first, sender)
		return false
	}
	d.seen[senderMark+sender], _ = yamlfile.Place(n.GetToken())
	return true
}

// senderMark separates the names of senders from the other things that may appear only once.
const senderMark = "sender "

// sensor decodes one entry of sensors. It returns false if an error was reported.
func (d *decoder) sensor(n ast.Node) (Sensor, bool) {
	var s Sensor
	before := d.Found()
	nodes := make(map[string]ast.Node) // by key: the values that are checked at the end
	fields := append([]yamlfile.Field{
		d.textField("driver", &s.Driver),
		d.textField("kernel", &s.Kernel),
		yamlfile.Key("bus", func(n ast.Node) {
			if text, ok := d.Text(n, "bus"); ok {
				var err error
				s.Bus, err = ParseBus(text)
				d.Check(n, err)
			}
		}),
		yamlfile.Key("address", func(n ast.Node) { d.address(n, &s.Address) }),
		yamlfile.Key("sender", func(n ast.Node) { d.sender(n, "sender", &s.Sender) }),
		d.durationField("period", &s.Period),
		d.durationField("jitter", &s.Jitter),
		d.countField("samples", &s.Samples),
		yamlfile.Key("events", func(n ast.Node) { d.outputs(n, &s.Outputs) }),
	}, d.options(&s.Options)...)
	for i, f := range fields {
		fields[i].Decode = func(n ast.Node) { nodes[f.Key] = n; f.Decode(n) }
	}
	d.Mapping(n, "a sensor", fields...)
	if d.Found() == before {
		if s.Kernel != "" {
			d.checkKernel(&s, nodes)
		} else {
			d.checkDriver(n, &s, nodes)
		}
	}
	if d.Found() == before {
		source := s.Source()
		d.Check(n, source.Check())
		s.Outputs = source.Outputs
	}
	return s, d.Found() == before
}

// checkKernel checks a sensor of the kernel. What it measures is unknown until it is opened.
func (d *decoder) checkKernel(s *Sensor, nodes map[string]ast.Node) {
	for key, at := range nodes {
		if !slices.Contains([]string{"kernel", "sender", "period", "jitter", "samples", "events"}, key) {
			d.Fail(at, "a sensor of the kernel has no key %s: remove it", key)
		}
	}
	s.Sender = cmp.Or(s.Sender, s.Kernel)
}

// checkDriver checks what only the driver knows: addresses, options, and quantities.
func (d *decoder) checkDriver(n ast.Node, s *Sensor, nodes map[string]ast.Node) {
	at := func(key string) ast.Node {
		if value := nodes[key]; value != nil {
			return value
		}
		return n
	}
	if s.Driver == "" {
		d.Fail(n, "this entry names no sensor: write one, such as driver: bh1750 or kernel: cpu (`sighub sensors` lists the drivers)")
		return
	}
	driver, err := drivers.Find(s.Driver)
	if !d.Check(at("driver"), err) {
		return
	}
	if nodes["bus"] == nil {
		d.Fail(n, "this sensor names no bus: write one, such as bus: I2C1 (`sighub sensors --scan` lists them)")
		return
	}
	if nodes["address"] == nil {
		if len(driver.Addresses) == 0 {
			d.Fail(n, "this sensor names no address: write its 16 digits, such as 0x740000070e41ac28 (`sighub sensors --scan` lists them)")
			return
		}
		s.Address = uint64(driver.Addresses[0])
	}
	if s.Bus.Sim && !slices.Contains(simulated.Chips(), s.Driver) {
		d.Fail(at("bus"), "a simulated bus has no %s, only %s", s.Driver, strings.Join(simulated.Chips(), ", "))
		return
	}
	if !d.Check(at("bus"), s.Bus.suits(driver.Bus)) || !d.Check(at("address"), driver.Check(s.Address, drivers.Options{})) {
		return
	}
	if err := driver.Check(s.Address, s.Options); err != nil {
		where := n
		for _, key := range driver.Options {
			if strings.Contains(err.Error(), ": "+key) {
				where = at(key)
			}
		}
		d.Check(where, err)
		return
	}
	measures, err := driver.Measures(s.Options)
	if !d.Check(n, err) {
		return
	}
	var names []string
	for _, q := range measures {
		names = append(names, q.Name)
	}
	for _, o := range s.Outputs {
		if !slices.Contains(names, o.Quantity) {
			d.Fail(at("events"), "a %s does not measure %q, only %s", s.Driver, o.Quantity, strings.Join(names, ", "))
		}
	}
	s.Sender, s.quantities = cmp.Or(s.Sender, s.Driver), names
}

// outputs decodes what a sensor reports: by quantity, the name of an event or a mapping that describes one.
func (d *decoder) outputs(n ast.Node, outputs *[]sensors.Output) {
	m, ok := n.(ast.MapNode)
	if !ok {
		d.Fail(n, "events is %s: write a mapping of what is measured, such as lux: light", yamlfile.Describe(n))
		return
	}
	lines := make(map[string]int)
	for it := m.MapRange(); it.Next(); {
		if !d.First(it.Key(), lines) {
			continue
		}
		o := sensors.Output{Quantity: yamlfile.KeyName(it.Key())}
		if value := yamlfile.Unwrap(it.Value()); value != nil && !yamlfile.IsNull(value) {
			d.Value(value, func(n ast.Node) { d.output(n, &o) })
		}
		*outputs = append(*outputs, o)
	}
}

func (d *decoder) output(n ast.Node, o *sensors.Output) {
	if _, ok := n.(*ast.StringNode); ok {
		d.event(n, "event", &o.Event)
		return
	}
	d.Mapping(n, "an event",
		yamlfile.Key("event", func(n ast.Node) { d.event(n, "event", &o.Event) }),
		yamlfile.Key("unit", func(n ast.Node) { d.unit(n, &o.Unit) }),
		yamlfile.Key("factor", func(n ast.Node) {
			if v, ok := d.number(n, "factor"); ok && v == 0 {
				d.Fail(n, "factor must not be 0: every value would become 0")
			} else {
				o.Factor = v
			}
		}),
		d.numberField("offset", &o.Offset),
		d.numberField("change", &o.Change),
		d.durationField("min_interval", &o.MinInterval),
		d.durationField("max_interval", &o.MaxInterval),
	)
}
