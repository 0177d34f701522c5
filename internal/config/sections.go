package config

import (
	"runtime"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"sighub/internal/address"
)

func (d *decoder) config(n ast.Node, c *Config) {
	fields := []field{
		{"listen", func(n ast.Node) { d.listen(n, c) }},
		{"serial", func(n ast.Node) { d.serial(n, c) }},
	}
	fields = append(fields, d.sensing(&c.Sensing)...)
	d.mapping(n, "the configuration", append(fields,
		field{"state", func(n ast.Node) {
			if d.folder(n, "state", &c.State) {
				d.seen[StatePlace], _ = place(n.GetToken())
			}
		}},
		field{"tls", func(n ast.Node) { d.tls(n, &c.TLS) }},
		field{"journal", func(n ast.Node) { d.journal(n, &c.Journal) }},
		field{"limits", func(n ast.Node) { d.limits(n, &c.Limits) }},
		field{"log", func(n ast.Node) { d.log(n, &c.Log) }},
	)...)
}

func (d *decoder) listen(n ast.Node, c *Config) {
	lines := make(map[string]int)
	d.items(n, "listen", func(n ast.Node) {
		a, ok := d.listenAddress(n)
		if !ok {
			return
		}
		if listed(a, c.Listen) {
			d.fail(n, "%s is already on line %d: remove one of them", a, lines[a.String()])
			return
		}
		lines[a.String()], _ = place(n.GetToken())
		d.seen[AddressPlace(a.String())] = lines[a.String()]
		c.Listen = append(c.Listen, a)
	})
}

// listenAddress decodes one entry of listen: an address, or a mapping with its options.
func (d *decoder) listenAddress(n ast.Node) (a address.Address, ok bool) {
	parse := func(n ast.Node) {
		if text, isText := d.text(n, "an address"); isText {
			var err error
			a, err = address.ParseListen(text)
			ok = d.check(n, err)
		}
	}
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
	default:
		parse(n)
		return a, ok
	}
	before := len(d.errs)
	var options []func()
	option := func(key string) field {
		return field{key, func(n ast.Node) {
			text, ok := n.GetToken().Value, true
			if _, number := n.(*ast.IntegerNode); !number { // a mode is a number to YAML
				text, ok = d.text(n, key)
			}
			if ok {
				options = append(options, func() { d.check(n, a.Set(key, text)) })
			}
		}}
	}
	var speaks []string
	d.mapping(n, "an address", field{"address", parse}, option("mode"), option("group"),
		field{"tls", func(n ast.Node) {
			if text, ok := d.word(n, "tls"); ok {
				options = append(options, func() { d.check(n, a.Set("tls", text)) })
			}
		}},
		field{"speaks", func(n ast.Node) {
			one := func(n ast.Node) {
				if text, ok := d.word(n, "a protocol"); ok {
					speaks = append(speaks, text)
				}
			}
			if _, single := n.(*ast.StringNode); single {
				one(n)
			} else {
				d.items(n, "speaks", one)
			}
			if len(speaks) > 0 {
				options = append(options, func() { d.check(n, a.Set("speaks", strings.Join(speaks, ","))) })
			}
		}},
	)
	if a.Addr == "" && len(d.errs) == before {
		d.fail(n, "this entry names no address: write one, such as address: unix:///run/sighub/hub.sock")
	}
	if ok {
		for _, set := range options {
			set()
		}
	}
	return a, ok
}

func (d *decoder) tls(n ast.Node, t *TLS) {
	if isNull(n) {
		return
	}
	before := len(d.errs)
	file := func(key string, v *string) field {
		return field{key, func(n ast.Node) {
			if text, ok := d.text(n, key); ok && strings.HasPrefix(text, "~") {
				d.fail(n, "%s %s: ~ has no meaning here: write the full path", key, text)
			} else if ok {
				*v = text
			}
		}}
	}
	d.mapping(n, "tls", file("certificate", &t.Certificate), file("key", &t.Key))
	d.seen[TLSPlace], _ = place(n.GetToken())
	switch {
	case len(d.errs) > before:
	case t.Certificate == "":
		d.fail(n, "tls has no certificate: write certificate: and key:, or leave tls out, and the hub makes its own")
	case t.Key == "":
		d.fail(n, "tls has no key: write key: and the file of the certificate's private key")
	}
}

func (d *decoder) serial(n ast.Node, c *Config) {
	c.portsGiven = !isNull(n) // a key without entries stands for the default, as with listen
	if s, ok := n.(*ast.StringNode); ok {
		if s.Value == NoPort {
			return
		}
		if p, ok := d.port(n); ok {
			c.Serial = []Port{p}
		}
		return
	}
	lines := make(map[string]int)
	d.items(n, "serial", func(n ast.Node) {
		p, ok := d.port(n)
		switch {
		case !ok:
		case lines[p.Port] > 0:
			d.fail(n, "%s is already on line %d: remove one of them", p.Port, lines[p.Port])
		default:
			lines[p.Port], _ = place(n.GetToken())
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
		return p, d.check(n, checkPort(p.Port)) && d.check(n, p.suits(runtime.GOOS))
	}
	before := len(d.errs)
	asInQuery := func(key string) field { // as [ParsePort] has it
		return field{key, func(n ast.Node) {
			read := d.text
			if key == "dtr" || key == "rts" || key == "opener" {
				read = d.word
			}
			if text, ok := read(n, key); ok {
				d.check(n, p.set(key, text))
			}
		}}
	}
	d.mapping(n, "a serial port",
		field{"port", func(n ast.Node) {
			if text, ok := d.text(n, "port"); ok && d.check(n, checkPort(text)) {
				p.Port = text
			}
		}},
		field{"baud", func(n ast.Node) {
			if text, ok := d.word(n, "baud"); ok {
				d.check(n, p.set("baud", text))
			}
		}},
		asInQuery("opener"), asInQuery("name"), asInQuery("naming"), asInQuery("dtr"), asInQuery("rts"),
		field{"may", func(n ast.Node) {
			if _, one := n.(*ast.StringNode); one {
				asInQuery("may").decode(n)
				return
			}
			d.items(n, "may", asInQuery("may").decode)
		}},
	)
	switch {
	case len(d.errs) > before:
	case p.Port == "":
		d.fail(n, "this entry names no port: write one, such as port: /dev/ttyUSB0 or port: auto")
	case d.check(n, p.suits(runtime.GOOS)):
		if doubts := p.doubts(); doubts != "" {
			d.warn(n, "%s", doubts)
		}
	}
	return p, p.Port != ""
}

func (d *decoder) limits(n ast.Node, l *Limits) {
	if isNull(n) {
		return
	}
	given := false
	memory := func(key string) field {
		return field{key, func(n ast.Node) {
			if given {
				d.fail(n, "outbox_memory is the former name of memory, and both are here: remove outbox_memory")
				return
			}
			given = true
			d.size(n, key, &l.Memory)
		}}
	}
	d.mapping(n, "limits",
		field{"message_size", func(n ast.Node) { d.size(n, "message_size", &l.MessageSize) }},
		d.countField("clients", &l.Clients),
		d.countField("address_clients", &l.AddressClients),
		d.countField("senders", &l.Senders),
		d.countField("listeners", &l.Listeners),
		d.countField("outstanding", &l.Outstanding),
		d.countField("outbox", &l.Outbox),
		memory("memory"), memory("outbox_memory"),
		field{"slow_listener", func(n ast.Node) { d.choice(n, "slow_listener", (*string)(&l.SlowListener), slowListeners()) }},
		d.durationField("block_deadline", &l.BlockDeadline),
		d.durationField("request_timeout", &l.RequestTimeout),
		field{"event_times", func(n ast.Node) { d.choice(n, "event_times", &l.EventTimes, eventTimes()) }},
		d.durationField("hello_timeout", &l.HelloTimeout),
		d.durationField("message_timeout", &l.MessageTimeout),
		d.durationField("write_timeout", &l.WriteTimeout),
	)
	if most := l.Memory / 4; l.MessageSize > most { // see carrier.Budget
		d.warn(n, "a message of %d bytes, as message_size allows it, is refused, because one client gets %d, a quarter of memory: enlarge memory, "+
			"or reduce message_size", l.MessageSize, most)
	}
}

func (d *decoder) log(n ast.Node, l *Log) {
	if isNull(n) {
		return
	}
	d.mapping(n, "log",
		field{"level", func(n ast.Node) { d.choice(n, "level", &l.Level, logLevels()) }},
		field{"format", func(n ast.Node) { d.choice(n, "format", &l.Format, logFormats()) }},
	)
}
