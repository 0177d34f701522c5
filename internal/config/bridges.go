package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"sighub/bridge/nats"
	"sighub/carrier"
	"sighub/internal/arguments"
	"sighub/internal/yamlfile"
)

// Bridges say where events go, beside the hub's own clients.
type Bridges struct {
	NATS *NATS   `json:",omitempty"` // nil: the hub is in no such stream
	MQTT []*MQTT `json:",omitempty"`
}

// NATS says how the hub takes part in a stream of many hubs.
type NATS struct {
	URL string
	Hub string // empty: the name of the machine

	Stream   string
	Size     int64         // bytes of the stream, if it is made; 0: the default
	Age      time.Duration // likewise
	Replicas int           // likewise
	Existing bool          // it is not made
	Prefix   string        // of subjects

	CA, Certificate, Key               string // files
	Creds, NKey, Token, User, Password string // files, but for User

	Send   []string // patterns, SENDER or SENDER:EVENT; nil: everything, empty: nothing
	Except []string `json:",omitempty"`
	First  []string `json:",omitempty"` // patterns of senders; those of an earlier one go before those of a later one, and these before all others
	Order  string   // of what waits after an outage, and what happens now: OrderStrict or OrderLive
	Rate   float64  // events a second; 0: any
	From   string   // where a new cursor begins: FromStart or FromNow
	Hear   []string `json:",omitempty"` // names of hubs, or *
	Naming string   // of their senders here
	May    carrier.Rights
	Beat   time.Duration
}

// What From may be.
const (
	FromStart = "start"
	FromNow   = "now"
)

// What Order may be.
const (
	OrderStrict = "strict" // what waits goes first
	OrderLive   = "live"   // what happens now goes first
)

// BridgesPlace is the place of bridges in a file.
const BridgesPlace = "bridges"

// everyHub stands for all hubs.
const everyHub = "*"

func (d *decoder) bridges(n ast.Node, b *Bridges) {
	if yamlfile.IsNull(n) {
		return
	}
	d.seen[BridgesPlace], _ = yamlfile.Place(n.GetToken())
	d.Mapping(n, "bridges",
		yamlfile.Key("nats", func(n ast.Node) { b.NATS = d.nats(n) }),
		yamlfile.Key("mqtt", func(n ast.Node) { b.MQTT = d.mqttBridges(n) }),
	)
}

func (d *decoder) nats(n ast.Node) *NATS {
	o := &NATS{From: FromStart, Order: OrderStrict}
	if _, text := n.(*ast.StringNode); text {
		d.natsURL(n, o)
		return o
	}
	before := d.Found()
	d.Mapping(n, "nats",
		yamlfile.Key("url", func(n ast.Node) { d.natsURL(n, o) }),
		yamlfile.Key("hub", func(n ast.Node) {
			if text, ok := d.Text(n, "hub"); ok && d.Check(n, nats.CheckHub(text)) {
				o.Hub = text
			}
		}),
		d.textField("stream", &o.Stream), d.textField("prefix", &o.Prefix),
		yamlfile.Key("size", func(n ast.Node) { d.sizeWithin(n, "size", &o.Size, 1<<20, 1<<50, "1MiB to 1024TiB") }),
		yamlfile.Key("age", func(n ast.Node) { d.age(n, &o.Age) }),
		d.countField("replicas", &o.Replicas),
		yamlfile.Key("existing", func(n ast.Node) { d.boolean(n, "existing", &o.Existing) }),
		d.pathField("ca", &o.CA), d.pathField("certificate", &o.Certificate), d.pathField("key", &o.Key),
		d.pathField("creds", &o.Creds), d.pathField("nkey", &o.NKey), d.pathField("token", &o.Token),
		d.textField("user", &o.User), d.pathField("password", &o.Password),
		yamlfile.Key("send", func(n ast.Node) { o.Send = d.patterns(n, "send", o.Send) }),
		yamlfile.Key("except", func(n ast.Node) { o.Except = d.patterns(n, "except", o.Except) }),
		yamlfile.Key("first", func(n ast.Node) { d.first(n, o) }),
		yamlfile.Key("order", func(n ast.Node) { d.choice(n, "order", &o.Order, []string{OrderStrict, OrderLive}) }),
		yamlfile.Key("rate", func(n ast.Node) {
			if v, ok := d.number(n, "rate"); ok && v <= 0 {
				d.Fail(n, "rate %v is out of range: write how many events a second go up at the most, or leave the line out", v)
			} else {
				o.Rate = v
			}
		}),
		yamlfile.Key("from", func(n ast.Node) { d.choice(n, "from", &o.From, []string{FromStart, FromNow}) }),
		yamlfile.Key("hear", func(n ast.Node) {
			if _, one := n.(*ast.StringNode); one {
				d.hear(n, o)
				return
			}
			d.Items(n, "hear", func(n ast.Node) { d.hear(n, o) })
		}),
		yamlfile.Key("naming", func(n ast.Node) {
			if text, ok := d.Text(n, "naming"); ok && d.Check(n, checkFarNaming(text)) {
				o.Naming = text
			}
		}),
		yamlfile.Key("may", func(n ast.Node) {
			if text, ok := d.Text(n, "may"); ok && d.Check(n, o.set("may", text)) {
				return
			}
		}),
		yamlfile.Key("beat", func(n ast.Node) {
			if d.duration(n, "beat", &o.Beat); o.Beat != 0 && (o.Beat < 100*time.Millisecond || o.Beat > 10*time.Minute) {
				d.Fail(n, "beat %s is out of range: write a time from 100ms to 10m", o.Beat)
			}
		}),
	)
	switch {
	case d.Found() > before:
	case o.URL == "":
		d.Fail(n, "nats has no url: write url: and where the server is, such as nats://host:4222")
	default:
		d.Check(n, o.check())
	}
	return o
}

func (d *decoder) natsURL(n ast.Node, o *NATS) {
	if text, ok := d.Text(n, "url"); ok && d.Check(n, nats.CheckURL(text)) {
		o.URL = text
	}
}

func (d *decoder) hear(n ast.Node, o *NATS) {
	if text, ok := d.Text(n, "a hub"); ok {
		d.Check(n, o.set("hear", text))
	}
}

func (d *decoder) first(n ast.Node, o *NATS) {
	o.First = d.patterns(n, "first", o.First)
	for _, text := range o.First {
		if strings.Contains(text, ":") {
			d.Fail(n, "first has %q: write the sender alone, because the events of a sender stay in their order", text)
		}
	}
}

func (d *decoder) pathField(key string, v *string) yamlfile.Field {
	return yamlfile.Key(key, func(n ast.Node) { d.path(n, key, v) })
}

func checkFarNaming(text string) error {
	if strings.Contains(text, "{sender}") && strings.Contains(text, "{device}") {
		return nil
	}
	return fmt.Errorf(`naming %q must contain {device}, which stands for the hub, and {sender}: else two hubs' senders would have one name`, text)
}

// check returns an error if what was given does not fit together.
func (o *NATS) check() error {
	_, err := nats.New(nats.Options{
		URL: o.URL, Hub: "x", Prefix: o.Prefix, Stream: nats.Stream{Name: o.Stream}, First: o.Firsts(),
		Credentials: nats.Credentials{Creds: o.Creds, NKey: o.NKey, Token: o.Token, User: o.User, Password: o.Password},
	})
	return err
}

// set sets what a query of --join may say.
func (o *NATS) set(key, value string) (err error) {
	switch key {
	case "hub":
		o.Hub, err = value, nats.CheckHub(value)
	case "hear":
		for name := range strings.SplitSeq(value, ",") {
			if name != everyHub {
				err = nats.CheckHub(name)
			}
			if err == nil && !slices.Contains(o.Hear, name) {
				o.Hear = append(o.Hear, name)
			}
		}
	case "send":
		o.Send = strings.Split(value, ",")
		_, err = arguments.NewSelection(o.Send, nil)
	case "may":
		if o.May, err = carrier.ParseRights(strings.Split(value, ",")); err == nil && o.May&^carrier.RightRequest != 0 {
			err = fmt.Errorf("may is %s: other hubs may be allowed request, and nothing else", value)
		}
	case "stream":
		o.Stream = value
	case "creds":
		o.Creds = value
	case "nkey":
		o.NKey = value
	case "token":
		o.Token = value
	case "ca":
		o.CA = value
	case "from":
		if o.From = value; value != FromStart && value != FromNow {
			err = fmt.Errorf("from is %q: write start or now", value)
		}
	default:
		err = fmt.Errorf("there is no %q here: it may have hub, hear, send, may, stream, creds, nkey, token, ca and from", key)
	}
	return err
}

// Join applies the command line: the address of a NATS server, which may be followed by ? and keys of the file, joined by &. It replaces
// what the file says of it.
func (c *Config) Join(text string) error {
	if text == "" {
		return nil
	}
	o := &NATS{From: FromStart, Order: OrderStrict}
	server, query, _ := strings.Cut(text, "?")
	if err := nats.CheckURL(server); err != nil {
		return fmt.Errorf("--join: %w", err)
	}
	o.URL = server
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		value, err := url.PathUnescape(value)
		if err == nil {
			err = o.set(key, value)
		}
		if err != nil {
			return fmt.Errorf("--join %s: %w", server, err)
		}
	}
	if err := o.check(); err != nil {
		return fmt.Errorf("--join %s: %w", server, err)
	}
	c.Bridges.NATS = o
	return nil
}

// Sends returns what goes up; nil if everything does.
func (o *NATS) Sends() *arguments.Selection {
	send := o.Send
	if send == nil {
		send = []string{"*"}
	}
	s, err := arguments.NewSelection(send, o.Except)
	if err != nil {
		panic(err) // the patterns were checked
	}
	if s.All() {
		return nil
	}
	return s
}

// Firsts returns whose events go before all others.
func (o *NATS) Firsts() (list []func(sender string) bool) {
	for _, text := range o.First {
		s, err := arguments.NewSelection([]string{text}, nil)
		if err != nil {
			panic(err) // the patterns were checked
		}
		list = append(list, func(sender string) bool { return s.Takes(sender, "", true) })
	}
	return list
}

// Hears returns which hubs are heard; nil if none are.
func (o *NATS) Hears() func(hub string) bool {
	switch {
	case len(o.Hear) == 0:
		return nil
	case slices.Contains(o.Hear, everyHub):
		return func(string) bool { return true }
	}
	return func(hub string) bool { return slices.Contains(o.Hear, hub) }
}
