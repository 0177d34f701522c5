package profile

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"sighub/internal/safetext"
	"sighub/internal/yamlfile"
	"sighub/sensors/modbus/frame"
)

// The bounds of a profile.
const (
	maxRegisters = 512
	minInterval  = 10 * time.Millisecond
	maxInterval  = 24 * time.Hour
)

// readings are how registers are read, by what a profile calls them.
var readings = map[string]frame.Function{
	"coil": frame.ReadCoils, "discrete": frame.ReadDiscrete, "holding": frame.ReadHolding, "input": frame.ReadInput,
}

// Parse reads a profile; errors name it file. The error joins an [*yamlfile.Error] for each mistake.
func Parse(file string, data []byte) (*Profile, error) {
	d := yamlfile.New(file)
	p := &Profile{Interval: DefaultInterval}
	if root := d.Parse(data); root != nil {
		decodeProfile(d, root, p)
	} else if d.Faults() == nil {
		d.FailAt(0, 0, "the file is empty: write registers")
	}
	if err := d.Faults(); err != nil {
		return nil, err
	}
	return p, nil
}

func decodeProfile(d *yamlfile.Decoder, n ast.Node, p *Profile) {
	var registers, identify ast.Node
	fields := append(Fields(d, p, &registers),
		textField(d, "name", &p.Name), textField(d, "source", &p.Source),
		wholeField(d, "id", &p.ID, 1, frame.MaxUnit), wholeField(d, "baud", &p.Baud, 300, 4_000_000),
		choiceField(d, "parity", &p.Parity, []string{"none", "even", "odd"}), choiceField(d, "stop", &p.Stop, []string{"1", "2"}),
		yamlfile.Key("identify", func(n ast.Node) {
			identify = n
			d.Items(n, "identify", func(n ast.Node) {
				if event, ok := d.Text(n, "an event"); ok {
					p.Identify = append(p.Identify, event)
				}
			})
		}))
	d.Mapping(n, "a profile", fields...)
	if registers == nil {
		d.Fail(n, "the profile has no registers: write registers:, and below it a name and what it is for each")
	}
	for _, event := range p.Identify {
		r := p.Find(event)
		if r == nil || r.Min == nil || r.Max == nil {
			d.Fail(identify, "identify: %q is no register with min and max", safetext.Short(event, 64))
		}
	}
}

// Fields returns the fields of what is polled, which a profile has, and a device of a configuration beside its profile. registers becomes
// the node of the registers, once it was decoded. They have the interval that is given beside them, wherever that is.
func Fields(d *yamlfile.Decoder, p *Profile, registers *ast.Node) []yamlfile.Field {
	return []yamlfile.Field{
		durationField(d, "interval", &p.Interval, func() { p.settle() }),
		wholeField(d, "most", &p.Most, 1, frame.MaxReadBits),
		wholeField(d, "gap", &p.Gap, 0, frame.MaxReadRegisters),
		yamlfile.Key("registers", func(n ast.Node) {
			*registers = n
			decodeRegisters(d, n, &p.Registers)
			p.settle()
		}),
	}
}

// settle gives the interval of the profile to registers without one.
func (p *Profile) settle() {
	for i := range p.Registers {
		if r := &p.Registers[i]; !r.own {
			r.Interval = p.Interval
		}
	}
}

func decodeRegisters(d *yamlfile.Decoder, n ast.Node, list *[]Register) {
	m, ok := n.(ast.MapNode)
	if !ok {
		d.Fail(n, "registers is %s: write a mapping of events, such as temp: {read: input, address: 1, type: i16}", yamlfile.Describe(n))
		return
	}
	lines := make(map[string]int)
	for it := m.MapRange(); it.Next(); {
		if !d.First(it.Key(), lines) {
			continue
		}
		if len(*list) >= maxRegisters {
			d.Fail(it.Key(), "there are more than %d registers: write another device for the others", maxRegisters)
			return
		}
		d.Value(it.Value(), func(n ast.Node) {
			if r, ok := decodeRegister(d, n, yamlfile.KeyName(it.Key())); ok {
				*list = append(*list, r)
			}
		})
	}
}

func decodeRegister(d *yamlfile.Decoder, n ast.Node, event string) (r Register, ok bool) {
	r = Register{Event: event, Order: ABCD, Scale: 1}
	before := d.Found()
	var none []float64
	var address, kind ast.Node
	limit := func(key string, v **float64) yamlfile.Field {
		return yamlfile.Key(key, func(n ast.Node) {
			if f, ok := decodeNumber(d, n, key); ok {
				*v = &f
			}
		})
	}
	number := func(key string, v *float64) yamlfile.Field {
		return yamlfile.Key(key, func(n ast.Node) {
			if f, ok := decodeNumber(d, n, key); ok {
				*v = f
			}
		})
	}
	at := 0
	d.Mapping(n, "a register",
		yamlfile.Key("read", func(n ast.Node) {
			if text, ok := d.Text(n, "read"); ok {
				if r.Function = readings[text]; r.Function == 0 {
					d.Fail(n, "read %q is not known: write input, holding, coil or discrete", safetext.Short(text, 64))
				}
			}
		}),
		yamlfile.Key("address", func(n ast.Node) {
			address = n
			at, _ = decodeWhole(d, n, "address", 0, math.MaxUint16)
			r.Address = uint16(at)
		}),
		yamlfile.Key("type", func(n ast.Node) { kind = n; decodeChoice(d, n, "type", (*string)(&r.Type), types()) }),
		yamlfile.Key("order", func(n ast.Node) { decodeChoice(d, n, "order", (*string)(&r.Order), orders()) }),
		yamlfile.Key("bits", func(n ast.Node) { r.Field = true; d.Check(n, decodeBits(n, &r)) }),
		number("scale", &r.Scale), number("offset", &r.Offset),
		yamlfile.Key("unit", func(n ast.Node) {
			text, ok := d.Text(n, "unit")
			if err := safetext.CheckUnit(text); ok && err != nil {
				d.Fail(n, "unit %q cannot be shown: %s", safetext.Short(text, 64), err)
			}
			r.Unit = text
		}),
		yamlfile.Key("none", func(n ast.Node) {
			one := func(n ast.Node) {
				if f, ok := decodeNumber(d, n, "none"); ok {
					none = append(none, f)
				}
			}
			if _, list := n.(*ast.SequenceNode); list {
				d.Items(n, "none", one)
			} else {
				one(n)
			}
		}),
		limit("min", &r.Min), limit("max", &r.Max),
		durationField(d, "interval", &r.Interval, func() { r.own = true }),
		number("change", &r.Change),
		durationField(d, "max_interval", &r.MaxInterval, func() {}),
		yamlfile.Key("write", func(n ast.Node) {
			if b, ok := n.(*ast.BoolNode); ok {
				if r.Write = NoWrite; b.Value {
					r.Write = "usual"
				}
				return
			}
			decodeChoice(d, n, "write", (*string)(&r.Write), []string{string(Single), string(Multiple)})
		}),
	)
	switch {
	case d.Found() > before:
		return r, false
	case address == nil:
		d.Fail(n, "%s has no address: write one, which counts from 0", safetext.Short(event, 64))
		return r, false
	case r.Function.Bits() && kind == nil:
		r.Type = Bool
	case r.Function.Reads() && kind == nil:
		r.Type = U16
	}
	if r.Write == "usual" {
		if r.Write = Single; r.Words() > 1 {
			r.Write = Multiple
		}
	}
	for _, v := range none {
		raw, err := r.raw(v)
		if err != nil {
			d.Fail(n, "none: %s", err)
			return r, false
		}
		r.None = append(r.None, raw)
	}
	if err := r.Check(); err != nil {
		d.Fail(n, "%s: %s", safetext.Short(event, 64), err)
		return r, false
	}
	return r, true
}

// raw returns the bits of a number that a register has, without its scale. For a type with a sign, those without one do, too.
func (r *Register) raw(v float64) (uint64, error) {
	plain := *r
	plain.Scale, plain.Offset = 1, 0
	if size := 16 * r.Words(); !r.Type.float() && v > 0 && v == math.Trunc(v) && v < math.Ldexp(1, size) {
		return uint64(v), nil
	}
	words, err := plain.encode(v)
	if err != nil {
		return 0, fmt.Errorf("%v does not fit into a %s", v, r.Type)
	}
	return plain.number(words), nil
}

// decodeBits reads 3 or 4-7.
func decodeBits(n ast.Node, r *Register) error {
	low, high, several := strings.Cut(n.GetToken().Value, "-")
	if !several {
		high = low
	}
	var errs [2]error
	r.Low, errs[0] = strconv.Atoi(strings.TrimSpace(low))
	r.High, errs[1] = strconv.Atoi(strings.TrimSpace(high))
	if errs[0] != nil || errs[1] != nil {
		return fmt.Errorf("bits %q: write the number of a bit, such as 3, or of the first and the last one, such as 4-7", safetext.Short(n.GetToken().Value, 32))
	}
	return nil
}

// textField reads a text.
func textField(d *yamlfile.Decoder, key string, v *string) yamlfile.Field {
	return yamlfile.Key(key, func(n ast.Node) {
		text, ok := d.Text(n, key)
		if err := safetext.Check(text); ok && err != nil {
			d.Fail(n, "%s cannot be shown: %s", key, err)
		} else if ok {
			*v = text
		}
	})
}

func wholeField(d *yamlfile.Decoder, key string, v *int, least, most int) yamlfile.Field {
	return yamlfile.Key(key, func(n ast.Node) {
		if i, ok := decodeWhole(d, n, key, least, most); ok {
			*v = i
		}
	})
}

func decodeWhole(d *yamlfile.Decoder, n ast.Node, what string, least, most int) (int, bool) {
	v, ok := n.(*ast.IntegerNode)
	if !ok {
		d.Fail(n, "%s must be a whole number, not %s", what, describe(n))
		return 0, false
	}
	i, err := strconv.ParseInt(fmt.Sprint(v.Value), 10, 64) // it is an int64 or a uint64
	if err != nil || i < int64(least) || i > int64(most) {
		d.Fail(n, "%s %s is out of range: write %d to %d", what, v.Token.Value, least, most)
		return 0, false
	}
	return int(i), true
}

func decodeNumber(d *yamlfile.Decoder, n ast.Node, what string) (float64, bool) {
	switch v := n.(type) {
	case *ast.FloatNode:
		return v.Value, true
	case *ast.IntegerNode:
		f, err := strconv.ParseFloat(fmt.Sprint(v.Value), 64)
		return f, err == nil
	}
	d.Fail(n, "%s must be a number, not %s", what, describe(n))
	return 0, false
}

// describe returns what a node is: a text as it is written.
func describe(n ast.Node) string {
	if s, ok := n.(*ast.StringNode); ok {
		return strconv.Quote(safetext.Short(s.Value, 32))
	}
	return yamlfile.Describe(n)
}

func choiceField(d *yamlfile.Decoder, key string, v *string, list []string) yamlfile.Field {
	return yamlfile.Key(key, func(n ast.Node) { decodeChoice(d, n, key, v, list) })
}

// decodeChoice reads one of some words. Capitals are as good as small letters.
func decodeChoice(d *yamlfile.Decoder, n ast.Node, what string, v *string, list []string) {
	text := n.GetToken().Value
	i := slices.IndexFunc(list, func(word string) bool { return strings.EqualFold(word, text) })
	if _, mapping := n.(ast.MapNode); i < 0 || mapping {
		d.Fail(n, "%s %q is not known: write %s", what, safetext.Short(text, 32), yamlfile.OrList(list))
		return
	}
	*v = list[i]
}

func durationField(d *yamlfile.Decoder, key string, v *time.Duration, then func()) yamlfile.Field {
	return yamlfile.Key(key, func(n ast.Node) {
		t, err := time.ParseDuration(n.GetToken().Value)
		switch {
		case err != nil:
			d.Fail(n, "%s %q is not a duration: write one such as 500ms, 2s or 1m", key, safetext.Short(n.GetToken().Value, 32))
		case t < minInterval || t > maxInterval:
			d.Fail(n, "%s %s is out of range: write a time from %v to 24h", key, t, minInterval)
		default:
			*v = t
			then()
		}
	})
}
