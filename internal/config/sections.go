package config

import (
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"sighub/internal/address"
	"sighub/internal/yamlfile"
	"sighub/sensors/lines"
)

func (d *decoder) config(n ast.Node, c *Config) {
	fields := []yamlfile.Field{
		yamlfile.Key("listen", func(n ast.Node) { d.listen(n, c) }),
		yamlfile.Key("serial", func(n ast.Node) { d.serial(n, c) }),
	}
	fields = append(fields, d.sensing(&c.Sensing)...)
	d.Mapping(n, "the configuration", append(fields,
		yamlfile.Key("state", func(n ast.Node) {
			if d.folder(n, "state", &c.State) {
				d.seen[StatePlace], _ = yamlfile.Place(n.GetToken())
			}
		}),
		yamlfile.Key("tls", func(n ast.Node) { d.tls(n, &c.TLS) }),
		yamlfile.Key("http", func(n ast.Node) { d.http(n, &c.HTTP) }),
		yamlfile.Key("access", func(n ast.Node) { d.access(n, &c.Access) }),
		yamlfile.Key("journal", func(n ast.Node) { d.journal(n, &c.Journal) }),
		yamlfile.Key("bridges", func(n ast.Node) { d.bridges(n, &c.Bridges) }),
		yamlfile.Key("homeassistant", func(n ast.Node) { d.announcements(n, &c.HomeAssistant) }),
		yamlfile.Key("limits", func(n ast.Node) { d.limits(n, &c.Limits) }),
		yamlfile.Key("log", func(n ast.Node) { d.log(n, &c.Log) }),
	)...)
}

func (d *decoder) listen(n ast.Node, c *Config) {
	lines := make(map[string]int)
	d.Items(n, "listen", func(n ast.Node) {
		a, ok := d.listenAddress(n)
		if !ok {
			return
		}
		if listed(a, c.Listen) {
			d.Fail(n, "%s is already on line %d: remove one of them", a, lines[a.String()])
			return
		}
		lines[a.String()], _ = yamlfile.Place(n.GetToken())
		d.seen[AddressPlace(a.String())] = lines[a.String()]
		c.Listen = append(c.Listen, a)
	})
}

// listenAddress decodes one entry of listen: an address, or a mapping with its options.
func (d *decoder) listenAddress(n ast.Node) (a address.Address, ok bool) {
	parse := func(n ast.Node) {
		if text, isText := d.Text(n, "an address"); isText {
			var err error
			a, err = address.ParseListen(text)
			ok = d.Check(n, err)
		}
	}
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
	default:
		parse(n)
		return a, ok
	}
	before := d.Found()
	var options []func()
	option := func(key string) yamlfile.Field {
		return yamlfile.Key(key, func(n ast.Node) {
			text, ok := n.GetToken().Value, true
			if _, number := n.(*ast.IntegerNode); !number { // a mode is a number to YAML
				text, ok = d.Text(n, key)
			}
			if ok {
				options = append(options, func() { d.Check(n, a.Set(key, text)) })
			}
		})
	}
	var speaks []string
	truth := func(key string) yamlfile.Field {
		return yamlfile.Key(key, func(n ast.Node) {
			var is bool
			if d.boolean(n, key, &is); is {
				options = append(options, func() { d.Check(n, a.Set(key, "true")) })
			}
		})
	}
	d.Mapping(n, "an address", yamlfile.Key("address", parse), option("mode"), option("group"), truth("insecure"), truth("by_address"),
		yamlfile.Key("tls", func(n ast.Node) {
			if text, ok := d.word(n, "tls"); ok {
				options = append(options, func() { d.Check(n, a.Set("tls", text)) })
			}
		}),
		yamlfile.Key("speaks", func(n ast.Node) {
			one := func(n ast.Node) {
				if text, ok := d.word(n, "a protocol"); ok {
					speaks = append(speaks, text)
				}
			}
			if _, single := n.(*ast.StringNode); single {
				one(n)
			} else {
				d.Items(n, "speaks", one)
			}
			if len(speaks) > 0 {
				options = append(options, func() { d.Check(n, a.Set("speaks", strings.Join(speaks, ","))) })
			}
		}),
	)
	if a.Addr == "" && d.Found() == before {
		d.Fail(n, "this entry names no address: write one, such as address: unix:///run/sighub/hub.sock")
	}
	if ok {
		for _, set := range options {
			set()
		}
	}
	return a, ok
}

func (d *decoder) tls(n ast.Node, t *TLS) {
	if yamlfile.IsNull(n) {
		return
	}
	before := d.Found()
	file := func(key string, v *string) yamlfile.Field {
		return yamlfile.Key(key, func(n ast.Node) {
			if text, ok := d.Text(n, key); ok && strings.HasPrefix(text, "~") {
				d.Fail(n, "%s %s: ~ has no meaning here: write the full path", key, text)
			} else if ok {
				*v = text
			}
		})
	}
	d.Mapping(n, "tls", file("certificate", &t.Certificate), file("key", &t.Key))
	d.seen[TLSPlace], _ = yamlfile.Place(n.GetToken())
	switch {
	case d.Found() > before:
	case t.Certificate == "":
		d.Fail(n, "tls has no certificate: write certificate: and key:, or leave tls out, and the hub makes its own")
	case t.Key == "":
		d.Fail(n, "tls has no key: write key: and the file of the certificate's private key")
	}
}

func (d *decoder) http(n ast.Node, h *HTTP) {
	if yamlfile.IsNull(n) {
		return
	}
	d.Mapping(n, "http", yamlfile.Key("base", func(n ast.Node) {
		text, ok := d.Text(n, "a path")
		switch {
		case !ok:
		case !strings.HasPrefix(text, "/") || path.Clean(text) != text || text == "/" || strings.ContainsAny(text, "?#% \\"):
			d.Fail(n, "%q is not a path that a proxy may have the hub under: write it as in /house/hub", text)
		default:
			h.Base = text
		}
	}), yamlfile.Key("hosts", func(n ast.Node) {
		d.Items(n, "hosts", func(n ast.Node) {
			text, ok := d.Text(n, "a host")
			switch {
			case !ok:
			case strings.ContainsAny(text, ":/*[]@ "), strings.Trim(text, ".") == "":
				d.Fail(n, "%q is not the name of a host: write it without scheme and port, such as hub.example.org, or .example.org for all names that end so", text)
			default:
				h.Hosts = append(h.Hosts, text)
			}
		})
	}))
}

func (d *decoder) serial(n ast.Node, c *Config) {
	c.portsGiven = !yamlfile.IsNull(n) // a key without entries stands for the default, as with listen
	if s, ok := n.(*ast.StringNode); ok {
		if s.Value == NoPort {
			return
		}
		if p, ok := d.port(n); ok {
			c.Serial = []Port{p}
		}
		return
	}
	lines, senders := make(map[string]int), make(map[string]int)
	d.Items(n, "serial", func(n ast.Node) {
		p, ok := d.port(n)
		names := p.modbusSenders()
		if p.Lines != nil {
			names = []string{p.Lines.Sender}
		}
		for _, name := range names {
			line, _ := yamlfile.Place(n.GetToken())
			if at := senders[name]; ok && at > 0 && at != line && !strings.Contains(name, "{") {
				d.Fail(n, "the port on line %d has the sender %s, too: give each its own", at, name)
				return
			}
			senders[name] = line
		}
		switch {
		case !ok:
		case lines[p.Port] > 0:
			d.Fail(n, "%s is already on line %d: remove one of them", p.Port, lines[p.Port])
		default:
			lines[p.Port], _ = yamlfile.Place(n.GetToken())
			d.seen[PortPlace(p.Port)] = lines[p.Port]
			c.Serial = append(c.Serial, p)
		}
	})
}

// port decodes one entry of serial. It returns false if the entry has no valid port; the error was reported.
func (d *decoder) port(n ast.Node) (Port, bool) {
	p := Port{Baud: DefaultBaud, Naming: DefaultNaming}
	if s, ok := n.(*ast.StringNode); ok {
		p.Port = s.Value
		return p, d.Check(n, checkPort(p.Port)) && d.Check(n, p.suits(runtime.GOOS))
	}
	before := d.Found()
	asInQuery := func(key string) yamlfile.Field { // as [ParsePort] has it
		return yamlfile.Key(key, func(n ast.Node) {
			read := d.Text
			if _, isMapping := n.(ast.MapNode); isMapping && key == "naming" { // to YAML, {sender} without quotes is one
				d.Fail(n, `naming is a mapping, because { starts one: put it in quotes, "{device}.{sender}"`)
				return
			}
			if key == "dtr" || key == "rts" || key == "opener" {
				read = d.word
			}
			if text, ok := read(n, key); ok {
				d.Check(n, p.set(key, text))
			}
		})
	}
	var l lines.Options
	var named []string
	m := modbusEntry{library: d.library}
	d.Mapping(n, "a serial port", slices.Concat([]yamlfile.Field{
		yamlfile.Key("port", func(n ast.Node) {
			if text, ok := d.Text(n, "port"); ok && d.Check(n, checkPort(text)) {
				p.Port = text
			}
		}),
		yamlfile.Key("baud", func(n ast.Node) {
			if text, ok := d.word(n, "baud"); ok {
				d.Check(n, p.set("baud", text))
			}
		}),
		asInQuery("opener"), asInQuery("name"), asInQuery("naming"), asInQuery("dtr"), asInQuery("rts"),
		yamlfile.Key("may", func(n ast.Node) {
			if _, one := n.(*ast.StringNode); one {
				asInQuery("may").Decode(n)
				return
			}
			d.Items(n, "may", asInQuery("may").Decode)
		}),
	}, d.linesFields(&p, &l, &named), m.fields(d))...)
	if p.Lines != nil {
		p.Lines = &l
	}
	switch {
	case d.Found() > before:
	case !d.Check(n, onlyEvent(&l)):
	case !d.Check(n, m.finish(&p, l.Sender, l.Events, named)):
	case !d.Check(n, p.checkSpeaks(named)):
	case p.Port == "":
		d.Fail(n, "this entry names no port: write one, such as port: /dev/ttyUSB0 or port: auto")
	case d.Check(n, p.suits(runtime.GOOS)):
		if doubts := p.doubts(); doubts != "" {
			d.Warn(n, "%s", doubts)
		}
	}
	return p, p.Port != ""
}

func (d *decoder) limits(n ast.Node, l *Limits) {
	if yamlfile.IsNull(n) {
		return
	}
	given := false
	memory := func(key string) yamlfile.Field {
		return yamlfile.Key(key, func(n ast.Node) {
			if given {
				d.Fail(n, "outbox_memory is the former name of memory, and both are here: remove outbox_memory")
				return
			}
			given = true
			size := int64(l.Memory)
			d.sizeWithin(n, key, &size, minMessage, maxMemory, "4KiB to 1GiB")
			l.Memory = int(size)
		})
	}
	d.Mapping(n, "limits",
		yamlfile.Key("message_size", func(n ast.Node) { d.size(n, "message_size", &l.MessageSize) }),
		d.countField("clients", &l.Clients),
		d.countField("address_clients", &l.AddressClients),
		d.countField("senders", &l.Senders),
		d.countField("listeners", &l.Listeners),
		d.countField("outstanding", &l.Outstanding),
		d.countField("outbox", &l.Outbox),
		memory("memory"), memory("outbox_memory"),
		yamlfile.Key("slow_listener", func(n ast.Node) { d.choice(n, "slow_listener", (*string)(&l.SlowListener), slowListeners()) }),
		d.durationField("block_deadline", &l.BlockDeadline),
		d.durationField("request_timeout", &l.RequestTimeout),
		yamlfile.Key("event_times", func(n ast.Node) { d.choice(n, "event_times", &l.EventTimes, eventTimes()) }),
		d.durationField("hello_timeout", &l.HelloTimeout),
		d.durationField("message_timeout", &l.MessageTimeout),
		d.durationField("write_timeout", &l.WriteTimeout),
	)
	if most := l.Memory / 4; l.MessageSize > most { // see carrier.Budget
		d.Warn(n, "a message of %d bytes, as message_size allows it, is refused, because one client gets %d, a quarter of memory: enlarge memory, "+
			"or reduce message_size", l.MessageSize, most)
	}
}

func (d *decoder) log(n ast.Node, l *Log) {
	if yamlfile.IsNull(n) {
		return
	}
	d.Mapping(n, "log",
		yamlfile.Key("level", func(n ast.Node) { d.choice(n, "level", &l.Level, logLevels()) }),
		yamlfile.Key("format", func(n ast.Node) { d.choice(n, "format", &l.Format, logFormats()) }),
	)
}
