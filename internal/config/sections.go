package config

import (
	"strings"
	"time"

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
			text, ok := d.text(n, "state")
			switch {
			case !ok:
			case strings.HasPrefix(text, "~"):
				d.fail(n, "state %s: ~ has no meaning here: write the full path, such as /var/lib/sighub", text)
			default:
				c.State = text
			}
		}},
		field{"limits", func(n ast.Node) { d.limits(n, &c.Limits) }},
		field{"log", func(n ast.Node) { d.log(n, &c.Log) }},
	)...)
}

func (d *decoder) listen(n ast.Node, c *Config) {
	lines := make(map[address.Address]int)
	d.items(n, "listen", func(n ast.Node) {
		text, ok := d.text(n, "an address")
		if !ok {
			return
		}
		a, err := address.Parse(text)
		if !d.check(n, err) {
			return
		}
		if listed(a, c.Listen) {
			d.fail(n, "%s is already on line %d: remove one of them", a, lines[a])
			return
		}
		lines[a] = line(n)
		c.Listen = append(c.Listen, a)
	})
}

func (d *decoder) serial(n ast.Node, c *Config) {
	c.portsGiven = !isNull(n) // a key without entries stands for the default, as with listen
	if s, ok := n.(*ast.StringNode); ok {
		if s.Value != NoPort && d.check(n, checkPort(s.Value)) {
			c.Serial = []Port{{Port: s.Value, Baud: DefaultBaud, Naming: DefaultNaming}}
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
			lines[p.Port] = line(n)
			c.Serial = append(c.Serial, p)
		}
	})
}

// port decodes one entry of serial. It returns false if the entry has no valid port; the error was reported.
func (d *decoder) port(n ast.Node) (Port, bool) {
	p := Port{Baud: DefaultBaud, Naming: DefaultNaming}
	if s, ok := n.(*ast.StringNode); ok {
		p.Port = s.Value
		return p, d.check(n, checkPort(p.Port))
	}
	before := len(d.errs)
	d.mapping(n, "a serial port",
		field{"port", func(n ast.Node) {
			if text, ok := d.text(n, "port"); ok && d.check(n, checkPort(text)) {
				p.Port = text
			}
		}},
		field{"baud", func(n ast.Node) {
			if s, ok := n.(*ast.StringNode); ok && s.Value == autoBaud {
				p.Baud = DefaultBaud
			} else if v, ok := d.integer(n, "baud"); ok && d.check(n, checkBaud(v)) {
				p.Baud = v
			}
		}},
		field{"opener", func(n ast.Node) { d.choice(n, "opener", &p.Opener, openers()) }},
		field{"name", func(n ast.Node) {
			if text, ok := d.text(n, "name"); ok && d.check(n, checkDeviceName(text)) {
				p.Name = text
			}
		}},
		field{"naming", func(n ast.Node) {
			if text, ok := d.text(n, "naming"); ok && d.check(n, checkNaming(text)) {
				p.Naming = text
			}
		}},
		field{"dtr", func(n ast.Node) { d.modemLine(n, "dtr", &p.DTROff) }},
		field{"rts", func(n ast.Node) { d.modemLine(n, "rts", &p.RTSOff) }},
	)
	if p.Port == "" && len(d.errs) == before {
		d.fail(n, "this entry names no port: write one, such as port: /dev/ttyUSB0 or port: auto")
	}
	return p, p.Port != ""
}

func (d *decoder) modemLine(n ast.Node, key string, off *bool) {
	level := ""
	d.choice(n, key, &level, lineLevels())
	*off = level == lineOff
}

func (d *decoder) limits(n ast.Node, l *Limits) {
	if isNull(n) {
		return
	}
	count := func(key string, v *int) field {
		return field{key, func(n ast.Node) { d.count(n, key, v) }}
	}
	span := func(key string, v *time.Duration) field {
		return field{key, func(n ast.Node) { d.duration(n, key, v) }}
	}
	d.mapping(n, "limits",
		field{"message_size", func(n ast.Node) { d.size(n, "message_size", &l.MessageSize) }},
		count("clients", &l.Clients),
		count("senders", &l.Senders),
		count("listeners", &l.Listeners),
		count("outstanding", &l.Outstanding),
		count("outbox", &l.Outbox),
		field{"outbox_memory", func(n ast.Node) { d.size(n, "outbox_memory", &l.OutboxMemory) }},
		field{"slow_listener", func(n ast.Node) { d.choice(n, "slow_listener", (*string)(&l.SlowListener), slowListeners()) }},
		span("block_deadline", &l.BlockDeadline),
		span("request_timeout", &l.RequestTimeout),
	)
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

func line(n ast.Node) int {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}
