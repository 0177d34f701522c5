package config

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"sighub/bridge/mqtt"
	"sighub/homeassistant"
	"sighub/internal/arguments"
	"sighub/internal/yamlfile"
)

// MQTT says how events go to an MQTT broker that is there already, or how the newest of them are kept there.
type MQTT struct {
	Name    string // unique
	Addr    string // host:port
	TLS     bool
	Hub     string // empty: the name of the machine
	Version string // of MQTT, if it is fixed

	User, Password       string // the password is in a file
	CA, Certificate, Key string // files
	Client               string // the client identifier; empty: made of the hub and the name

	Prefix, Topic, Payload string // empty: the defaults of package mqtt
	Retain                 bool
	Send                   []string // patterns, SENDER or SENDER:EVENT; nil: everything
	Except                 []string `json:",omitempty"`
	Rate                   float64  // events a second; 0: any
	Window                 int      // 0: the default
	From                   string   // where a new cursor begins: FromStart or FromNow

	Newest   bool
	Every    time.Duration // 0: the default
	Commands bool

	HomeAssistant *HomeAssistant `json:",omitempty"` // nil: nothing is announced
}

// HomeAssistant says how devices are announced to Home Assistant.
type HomeAssistant struct {
	Prefix   string            // of announcements
	Requests map[string]string `json:",omitempty"` // what requests become, by sender/name
	Forget   time.Duration     // 0: the default
}

// mqttBridges reads one broker, or a list of brokers.
func (d *decoder) mqttBridges(n ast.Node) (list []*MQTT) {
	one := func(n ast.Node) {
		if m := d.mqtt(n); m != nil {
			list = append(list, m)
		}
	}
	if _, many := n.(*ast.SequenceNode); many {
		d.Items(n, "mqtt", one)
	} else {
		one(n)
	}
	names, kept := make(map[string]bool), make(map[string]bool)
	for _, m := range list {
		if place := m.Addr + "/" + m.Prefix; m.Newest || m.HomeAssistant != nil {
			if kept[place] {
				d.Fail(n, "the newest states are kept twice at %s: give one of the entries another prefix", m.Addr)
			}
			kept[place] = true
		}
		if names[m.Name] {
			d.Fail(n, "two brokers have the name %s: give each a name of its own, with name", m.Name)
		}
		names[m.Name] = true
	}
	return list
}

func (d *decoder) mqtt(n ast.Node) *MQTT {
	m := &MQTT{Name: "mqtt", From: FromStart}
	if _, text := n.(*ast.StringNode); text {
		d.mqttURL(n, m)
		return m
	}
	before := d.Found()
	d.Mapping(n, "mqtt",
		yamlfile.Key("url", func(n ast.Node) { d.mqttURL(n, m) }),
		yamlfile.Key("name", func(n ast.Node) { d.sender(n, "a name", &m.Name) }),
		yamlfile.Key("hub", func(n ast.Node) { d.sender(n, "a hub", &m.Hub) }),
		yamlfile.Key("version", func(n ast.Node) { d.choice(n, "version", &m.Version, mqtt.Versions()) }),
		d.textField("user", &m.User), d.pathField("password", &m.Password),
		d.pathField("ca", &m.CA), d.pathField("certificate", &m.Certificate), d.pathField("key", &m.Key),
		d.textField("client", &m.Client),
		d.textField("prefix", &m.Prefix), d.textField("topic", &m.Topic),
		yamlfile.Key("payload", func(n ast.Node) { d.choice(n, "payload", &m.Payload, mqtt.Payloads()) }),
		yamlfile.Key("retain", func(n ast.Node) { d.boolean(n, "retain", &m.Retain) }),
		yamlfile.Key("send", func(n ast.Node) { m.Send = d.patterns(n, "send", m.Send) }),
		yamlfile.Key("except", func(n ast.Node) { m.Except = d.patterns(n, "except", m.Except) }),
		yamlfile.Key("rate", func(n ast.Node) { d.rate(n, &m.Rate) }),
		yamlfile.Key("window", func(n ast.Node) { d.count(n, "window", &m.Window) }),
		yamlfile.Key("from", func(n ast.Node) { d.choice(n, "from", &m.From, []string{FromStart, FromNow}) }),
		yamlfile.Key("newest", func(n ast.Node) { d.boolean(n, "newest", &m.Newest) }),
		d.durationField("every", &m.Every),
		yamlfile.Key("commands", func(n ast.Node) { d.boolean(n, "commands", &m.Commands) }),
		yamlfile.Key("homeassistant", func(n ast.Node) { d.homeAssistant(n, m) }),
	)
	switch {
	case d.Found() > before:
	case m.Addr == "":
		d.Fail(n, "mqtt has no url: write url: and where the broker is, such as mqtt://host:1883 or mqtts://host:8883")
	default:
		d.Check(n, m.check())
	}
	return m
}

func (d *decoder) mqttURL(n ast.Node, m *MQTT) {
	text, ok := d.Text(n, "url")
	if !ok {
		return
	}
	var err error
	m.Addr, m.TLS, err = parseBroker(text)
	d.Check(n, err)
}

// parseBroker reads the address of a broker.
func parseBroker(text string) (addr string, secure bool, err error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "mqtt" && u.Scheme != "mqtts" || u.Hostname() == "":
		return "", false, fmt.Errorf("url %q is not a broker's: write mqtt://host:1883, or mqtts://host:8883 for TLS", text)
	case u.User != nil:
		return "", false, fmt.Errorf("a password in url could be read by others: write user, and the password's file as password")
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return "", false, fmt.Errorf("url %q has something behind host and port: remove it", text)
	}
	port := u.Port()
	secure = u.Scheme == "mqtts"
	switch {
	case port == "" && secure:
		port = "8883"
	case port == "":
		port = "1883"
	}
	return net.JoinHostPort(u.Hostname(), port), secure, nil
}

func (d *decoder) rate(n ast.Node, v *float64) {
	if rate, ok := d.number(n, "rate"); ok && rate <= 0 {
		d.Fail(n, "rate %v is out of range: write how many events a second go out at the most, or leave the line out", rate)
	} else {
		*v = rate
	}
}

func (d *decoder) homeAssistant(n ast.Node, m *MQTT) {
	if _, is := n.(*ast.BoolNode); is {
		var on bool
		if d.boolean(n, "homeassistant", &on); !on {
			return
		}
	}
	h := &HomeAssistant{Prefix: homeassistant.DefaultPrefix}
	m.HomeAssistant = h
	if _, is := n.(*ast.BoolNode); is {
		return
	}
	d.Mapping(n, "homeassistant",
		yamlfile.Key("prefix", func(n ast.Node) {
			if text, ok := d.Text(n, "prefix"); ok && d.Check(n, homeassistant.CheckPrefix(text)) {
				h.Prefix = text
			}
		}),
		yamlfile.Key("requests", func(n ast.Node) { d.entities(n, h) }),
		yamlfile.Key("forget", func(n ast.Node) { d.age(n, &h.Forget) }),
	)
}

// entities reads what requests become: a mapping of sender/name.
func (d *decoder) entities(n ast.Node, h *HomeAssistant) {
	list, ok := n.(*ast.MappingNode)
	if !ok {
		d.Fail(n, "requests must be lines such as board/led: switch")
		return
	}
	h.Requests = make(map[string]string)
	for _, entry := range list.Values {
		key := entry.Key.String()
		if sender, name, found := strings.Cut(strings.Trim(key, `"'`), "/"); !found || sender == "" || name == "" {
			d.Fail(entry.Key, "%s is not a request: write sender/name", key)
			continue
		}
		var what string
		d.choice(entry.Value, "what a request becomes", &what, homeassistant.Entities())
		h.Requests[strings.Trim(key, `"'`)] = what
	}
}

// check returns an error if what was given does not fit together.
func (m *MQTT) check() error {
	switch {
	case m.Prefix != "" && !strings.HasSuffix(m.Prefix, "/"):
		return fmt.Errorf("prefix %s must end with /", m.Prefix)
	case m.Newest && (m.Topic != "" || m.Payload != "" || m.Retain || m.Rate > 0 || m.Window > 0):
		return fmt.Errorf("topic, payload, retain, rate and window are for a broker that gets every event: leave them out, or newest")
	case m.HomeAssistant != nil && (m.Topic != "" || m.Payload != "" || m.Retain || m.Rate > 0 || m.Window > 0):
		return fmt.Errorf("a broker with homeassistant gets the newest states, so topic, payload, retain, rate and window mean nothing there: to pass every " +
			"event on as well, write another entry for the same broker")
	case m.Topic != "" && mqtt.CheckTopic(m.Topic) != nil:
		return fmt.Errorf("topic %s: %w", m.Topic, mqtt.CheckTopic(m.Topic))
	case (m.CA != "" || m.Certificate != "") && !m.TLS:
		return fmt.Errorf("ca and certificate are for TLS: write mqtts:// in url")
	case (m.Certificate != "") != (m.Key != ""):
		return fmt.Errorf("certificate and key belong together: write both")
	case m.Password != "" && m.User == "":
		return fmt.Errorf("password needs a user")
	}
	return nil
}

// Sends returns what goes out; nil if everything does.
func (m *MQTT) Sends() *arguments.Selection {
	send := m.Send
	if send == nil {
		send = []string{"*"}
	}
	s, err := arguments.NewSelection(send, slices.Clone(m.Except))
	if err != nil {
		panic(err) // the patterns were checked
	}
	if s.All() {
		return nil
	}
	return s
}
