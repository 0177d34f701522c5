package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"sighub/carrier/serial/port"
	"sighub/internal/yamlfile"
	"sighub/sensors/lines"
	"sighub/sensors/lines/formats"
	"sighub/sensors/modbus"
)

// What a port may speak.
const (
	speaksSighub = "sighub" // the protocol of the hub's own devices
	speaksLines  = "lines"
)

func protocols() []string { return []string{speaksLines, speaksModbus, speaksSighub} }
func lineEnds() []string  { return []string{"any", "lf", "cr", "crlf"} }
func onOff() []string     { return []string{"on", lineOff} }
func parities() []string  { return []string{"none", "even", "odd", "mark", "space"} }
func stops() []string     { return []string{"1", "1.5", "2"} }
func flows() []string     { return []string{"none", "rtscts", "xonxoff"} }

// settingKeys are the keys for how a port is opened, beside its rate and its modem lines. linesKeys are those of what its lines mean.
func settingKeys() []string {
	return []string{"data", "parity", "stop", "flow", "rs485", "break", "exclude", "speaks"}
}

func linesKeys() []string {
	return []string{"format", "sender", "event", "columns", "pattern", "decimal", "checksum", "silence", "line_end", "events", "units", "min", "max",
		"names", "send"}
}

// queryKeys are those of linesKeys that fit into one text, as on the command line.
func queryKeys() []string { return linesKeys()[:11] }

// setSetting sets a key of settingKeys.
func (p *Port) setSetting(key, value string) error {
	word := strings.ToLower(value)
	switch key {
	case "data":
		n, err := strconv.Atoi(value)
		if err != nil || n < 5 || n > 8 {
			return fmt.Errorf("data %q is not a number of data bits: write 5, 6, 7 or 8", value)
		}
		p.Settings.Data = n
	case "parity":
		for _, name := range parities() {
			if word == name[:1] { // N, E, O, M, S as in 8N1
				word = name
			}
		}
		p.Settings.Parity = port.Parity(word)
		return checkOneOf("parity", word, parities())
	case "stop":
		p.Settings.Stop = port.StopBits(word)
		return checkOneOf("stop", word, stops())
	case "flow":
		p.Settings.Flow = port.Flow(word)
		return checkOneOf("flow", word, flows())
	case "rs485":
		if p.Settings.RS485 = nil; word != lineOff {
			p.Settings.RS485 = &port.RS485{Inverted: word == "inverted"}
		}
		return checkOneOf("rs485", word, []string{"on", lineOff, "inverted"})
	case "break":
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 || d > port.MaxBreak {
			return fmt.Errorf("break %q is no time up to %s: write one such as 250ms", value, port.MaxBreak)
		}
		p.Settings.Break = d
	case "exclude":
		p.Exclude = word == "true"
		return checkOneOf("exclude", word, []string{"true", "false"})
	case "speaks":
		switch word {
		case speaksLines:
			p.lines()
		case speaksModbus:
			p.Modbus = new(modbus.Options)
		}
		return checkOneOf("speaks", word, protocols())
	}
	return nil
}

// lines returns what the port's lines mean.
func (p *Port) lines() *lines.Options {
	if p.Lines == nil {
		p.Lines = new(lines.Options)
	}
	return p.Lines
}

// setLines sets a key of queryKeys.
func setLines(l *lines.Options, key, value string) error {
	word := strings.ToLower(value)
	switch key {
	case "format":
		l.Format = word
		return checkOneOf("format", word, formats.Names())
	case "sender":
		l.Sender = value
	case "event":
		l.Event = value
	case "pattern":
		l.Pattern = value
	case "columns":
		l.Columns = nil
		for name := range strings.SplitSeq(value, ",") {
			l.Columns = append(l.Columns, strings.TrimSpace(name))
		}
	case "events":
		l.Events = nil
		for name := range strings.SplitSeq(value, ",") {
			l.Events = append(l.Events, strings.TrimSpace(name))
		}
	case "decimal":
		l.Comma = word == "comma"
		return checkOneOf("decimal", word, []string{"point", "comma"})
	case "checksum":
		l.Unchecked = word == lineOff
		return checkOneOf("checksum", word, onOff())
	case "silence":
		d, err := time.ParseDuration(value)
		if err != nil || d < time.Millisecond || d > 24*time.Hour {
			return fmt.Errorf("silence %q is no time from 1ms to 24h: write one such as 1m", value)
		}
		l.Silence = d
	case "line_end":
		l.End = map[string]formats.End{"lf": formats.LF, "cr": formats.CR, "crlf": formats.CRLF}[word]
		return checkOneOf("line_end", word, lineEnds())
	case "units":
		l.Units = make(map[string]string)
		for pair := range strings.SplitSeq(value, ",") {
			event, unit, ok := strings.Cut(pair, ":")
			if !ok {
				return fmt.Errorf("units %q: write EVENT:UNIT, such as temp:Cel", value)
			}
			l.Units[strings.TrimSpace(event)] = strings.TrimSpace(unit)
		}
	}
	return nil
}

// checkSpeaks returns what is wrong with what a port speaks, once all keys are known. named are those of linesKeys that were given.
func (p *Port) checkSpeaks(named []string) error {
	settings := p.Settings
	settings.DTROff, settings.RTSOff = p.DTROff, p.RTSOff
	if err := p.checkElsewhere(settings); err != nil {
		return err
	}
	if err := settings.Check(); err != nil {
		return err
	}
	if p.Modbus != nil {
		return nil // see modbusEntry.finish
	}
	if p.Lines == nil {
		switch {
		case len(named) > 0:
			return fmt.Errorf("%s is for a port whose device prints lines: write speaks: lines, too", named[0])
		case !p.Exclude && (p.Settings.Data != 0 && p.Settings.Data != 8 || p.Settings.Parity != "" && p.Settings.Parity != port.NoParity):
			return fmt.Errorf("the devices of this hub speak with 8 data bits and without parity: leave them out, or write speaks: lines")
		case !p.Exclude && p.Settings.Flow == port.XONXOFF:
			return fmt.Errorf("the protocol of the hub's devices uses all bytes: flow xonxoff is for a port with speaks: lines")
		}
		return nil
	}
	switch {
	case p.Exclude:
		return fmt.Errorf("exclude and speaks: leave one of them out")
	case p.Port == AutoPort:
		return fmt.Errorf("auto finds what speaks sighub's protocol: name the port of a device that prints lines, by path or by USB ids")
	case p.Name != "" || p.Naming != DefaultNaming:
		return fmt.Errorf("name and naming are for devices that say their names: write sender")
	case p.May != 0:
		return fmt.Errorf("a device that prints lines asks for nothing: leave may out")
	}
	p.Lines.Baud = p.Baud
	return p.Lines.Check()
}

// linesFields returns the fields of an entry of serial that settings and lines need, and the keys of linesKeys that were found.
func (d *decoder) linesFields(p *Port, l *lines.Options, named *[]string) (fields []yamlfile.Field) {
	asWord := func(key string, set func(key, value string) error) {
		fields = append(fields, yamlfile.Key(key, func(n ast.Node) {
			read := d.word
			if slices.Contains([]string{"sender", "event", "pattern"}, key) {
				read = d.Text
			}
			if text, ok := read(n, key); ok {
				d.Check(n, set(key, text))
			}
		}))
	}
	for _, key := range settingKeys() {
		if key == "rs485" {
			fields = append(fields, yamlfile.Key(key, func(n ast.Node) { d.rs485(n, p) }))
			continue
		}
		asWord(key, p.setSetting)
	}
	for _, key := range queryKeys() {
		if key != "columns" && key != "events" && key != "units" {
			asWord(key, func(key, value string) error { return setLines(l, key, value) })
		}
	}
	fields = append(fields,
		yamlfile.Key("columns", func(n ast.Node) { d.texts(n, "columns", &l.Columns) }),
		yamlfile.Key("events", func(n ast.Node) { d.texts(n, "events", &l.Events) }),
		yamlfile.Key("units", func(n ast.Node) {
			d.byEvent(n, "units", func(event string, n ast.Node) {
				var unit string
				if d.unit(n, &unit); unit != "" {
					if l.Units == nil {
						l.Units = make(map[string]string)
					}
					l.Units[event] = unit
				}
			})
		}),
		yamlfile.Key("min", func(n ast.Node) { d.limit(n, "min", &l.Min) }),
		yamlfile.Key("max", func(n ast.Node) { d.limit(n, "max", &l.Max) }),
		yamlfile.Key("names", func(n ast.Node) {
			d.byEvent(n, "names", func(node string, n ast.Node) {
				var name string
				if d.sender(n, "a name", &name); name != "" {
					if l.Names == nil {
						l.Names = make(map[string]string)
					}
					l.Names[node] = name
				}
			})
		}),
		yamlfile.Key("send", func(n ast.Node) {
			d.Items(n, "send", func(n ast.Node) { l.Send = append(l.Send, d.send(n)) })
		}),
	)
	for i := range fields {
		f := &fields[i]
		if decode := f.Decode; slices.Contains(linesKeys(), f.Key) {
			f.Decode = func(n ast.Node) {
				*named = append(*named, f.Key)
				decode(n)
			}
		}
	}
	return fields
}

// texts reads a list of texts, or one text.
func (d *decoder) texts(n ast.Node, what string, list *[]string) {
	one := func(n ast.Node) {
		if text, ok := d.Text(n, what); ok {
			*list = append(*list, text)
		}
	}
	if _, single := n.(*ast.StringNode); single {
		one(n)
		return
	}
	d.Items(n, what, one)
}

// byEvent decodes a mapping whose keys are names of events, or one value for the only event, whose name is then empty.
func (d *decoder) byEvent(n ast.Node, what string, decode func(event string, n ast.Node)) {
	m, ok := n.(ast.MapNode)
	if !ok {
		switch n.(type) {
		case *ast.SequenceNode:
			d.Fail(n, "%s is a list: write a mapping by event, such as temp: Cel", what)
		default:
			d.Value(n, func(n ast.Node) { decode("", n) })
		}
		return
	}
	seen := make(map[string]int)
	for it := m.MapRange(); it.Next(); {
		if value := yamlfile.Unwrap(it.Value()); d.First(it.Key(), seen) && value != nil {
			d.Value(value, func(n ast.Node) { decode(yamlfile.KeyName(it.Key()), n) })
		}
	}
}

func (d *decoder) limit(n ast.Node, what string, limits *map[string]float64) {
	d.byEvent(n, what, func(event string, n ast.Node) {
		if v, ok := d.number(n, what); ok {
			if *limits == nil {
				*limits = make(map[string]float64)
			}
			(*limits)[event] = v
		}
	})
}

// onlyEvent gives what was written without an event to the only one that there is.
func onlyEvent(l *lines.Options) error {
	_, unit := l.Units[""]
	_, low := l.Min[""]
	_, high := l.Max[""]
	switch _, name := l.Names[""]; {
	case name:
		return fmt.Errorf(`names is no mapping: write NODE.CHILD and a name, such as "12.6": garden`)
	case !unit && !low && !high:
		return nil
	case l.Format != formats.Number:
		return fmt.Errorf("units, min and max are mappings by event, such as {temp: 1}, unless the format is number")
	}
	event := cmp.Or(l.Event, "value")
	if unit {
		l.Units = map[string]string{event: l.Units[""]}
	}
	if low {
		l.Min = map[string]float64{event: l.Min[""]}
	}
	if high {
		l.Max = map[string]float64{event: l.Max[""]}
	}
	return nil
}

func (d *decoder) send(n ast.Node) (s lines.Send) {
	d.Mapping(n, "a line to be sent",
		yamlfile.Key("line", func(n ast.Node) {
			if v, ok := n.(*ast.StringNode); ok && v.Value == "" {
				return // some devices want nothing but the end of a line
			}
			s.Line, _ = d.Text(n, "line")
		}),
		yamlfile.Key("start", func(n ast.Node) { d.boolean(n, "start", &s.Start) }),
		d.durationField("every", &s.Every),
		yamlfile.Key("request", func(n ast.Node) { d.sender(n, "request", &s.Request) }),
		d.textField("answer", &s.Answer),
		d.durationField("timeout", &s.Timeout),
	)
	return s
}

func (d *decoder) rs485(n ast.Node, p *Port) {
	if _, ok := n.(ast.MapNode); !ok {
		if text, ok := d.word(n, "rs485"); ok {
			d.Check(n, p.setSetting("rs485", text))
		}
		return
	}
	r := new(port.RS485)
	d.Mapping(n, "rs485",
		d.durationField("before", &r.Before),
		d.durationField("after", &r.After),
		yamlfile.Key("inverted", func(n ast.Node) { d.boolean(n, "inverted", &r.Inverted) }),
		yamlfile.Key("echo", func(n ast.Node) { d.boolean(n, "echo", &r.Echo) }),
	)
	p.Settings.RS485 = r
}

// ParseTrial parses a port as [ParsePort] does, with the rate and the format of a command line, if these are not empty. The lines need
// neither a sender nor a format.
func ParseTrial(text, baud, format string) (Port, error) {
	join := "?"
	if _, query := splitQuery(text); query != "" {
		join = "&"
	}
	known := format != "" || strings.Contains(text, "format=")
	if format != "" {
		text += join + "format=" + format
		join = "&"
	}
	if known {
		text += join + "speaks=lines&sender=trial"
		join = "&"
	}
	if baud != "" && !strings.Contains(text, "baud=") {
		text += join + "baud=" + baud
	}
	return ParsePort(text)
}
