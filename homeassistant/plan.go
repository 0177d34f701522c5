package homeassistant

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"strings"
	"time"
)

// A Plan says how devices are announced.
type Plan struct {
	Hub    Hub
	Topics Topics
	// Prefix is that of the topics of announcements, without a slash at its end: "homeassistant", unless Home Assistant is configured
	// otherwise.
	Prefix string
	// Requests says what requests become, by sender/name: see [Entities]. What is not in it is decided by names.
	Requests map[string]string
}

// DefaultPrefix is the prefix of announcements that Home Assistant has by default.
const DefaultPrefix = "homeassistant"

// CheckPrefix returns an error unless a text can be the prefix of announcements.
func CheckPrefix(text string) error {
	if text == "" || strings.ContainsAny(text, "+#\x00") || strings.HasPrefix(text, "$") || strings.HasPrefix(text, "/") || strings.HasSuffix(text, "/") {
		return fmt.Errorf("prefix %q is not that of a topic: write one without + and #, and without / at its ends, such as %s", text, DefaultPrefix)
	}
	return nil
}

// Status returns the topic on which Home Assistant says "online" when it has started.
func (p *Plan) Status() string { return p.Prefix + "/status" }

// An Announcement is what Home Assistant is told of a device, at one topic.
type Announcement struct {
	Topic      string
	Components map[string]string // the platforms of the device's parts, by their keys
	payload    payload
}

// Payload returns what is published. Gone are parts that were announced before and are to be removed, in the form of Components.
func (a *Announcement) Payload(gone map[string]string) []byte {
	p := a.payload
	if len(gone) > 0 {
		p.Components = maps.Clone(p.Components)
		for key, platform := range gone {
			if _, there := p.Components[key]; !there {
				p.Components[key] = component{Platform: platform}
			}
		}
	}
	data, err := json.Marshal(p)
	if err != nil {
		panic(err) // texts and numbers alone
	}
	return data
}

// payload is the announcement of a device. The names of the fields are Home Assistant's own.
type payload struct {
	Device     device               `json:"device"`
	Origin     origin               `json:"origin"`
	Components map[string]component `json:"components"`
}

type device struct {
	Identifiers  []string `json:"identifiers"`
	Name         string   `json:"name"`
	Manufacturer string   `json:"manufacturer,omitempty"`
	Model        string   `json:"model,omitempty"`
	Version      string   `json:"sw_version,omitempty"`
	Via          string   `json:"via_device,omitempty"`
}

type origin struct {
	Name    string `json:"name"`
	Version string `json:"sw_version,omitempty"`
}

// component is one entity. With nothing but a platform, it is one that is to be removed.
type component struct {
	Platform string `json:"platform"`
	UniqueID string `json:"unique_id,omitempty"`
	Name     string `json:"name,omitempty"`

	Class    string `json:"device_class,omitempty"`
	Unit     string `json:"unit_of_measurement,omitempty"`
	State    string `json:"state_class,omitempty"`
	Category string `json:"entity_category,omitempty"`

	StateTopic   string   `json:"state_topic,omitempty"`
	Template     string   `json:"value_template,omitempty"`
	PayloadOn    string   `json:"payload_on,omitempty"`
	PayloadOff   string   `json:"payload_off,omitempty"`
	EventTypes   []string `json:"event_types,omitempty"`
	Expire       int      `json:"expire_after,omitempty"` // seconds
	CommandTopic string   `json:"command_topic,omitempty"`
	Command      string   `json:"command_template,omitempty"`
	Press        string   `json:"payload_press,omitempty"`
	Min          *float64 `json:"min,omitempty"`
	Max          *float64 `json:"max,omitempty"`
	Step         float64  `json:"step,omitempty"`
	Mode         string   `json:"mode,omitempty"`
	QoS          int      `json:"qos,omitempty"`

	Availability []availability `json:"availability,omitempty"`
	All          string         `json:"availability_mode,omitempty"`
}

type availability struct {
	Topic    string `json:"topic"`
	Template string `json:"value_template"`
}

// connected makes "online" or "offline" of a state.
const connected = "{{ 'online' if value_json.connected else 'offline' }}"

// Announce returns the announcement of a device. It is the same for the same device.
func (p *Plan) Announce(d *Device) *Announcement {
	hub := "sighub_" + plain(p.Hub.ID)
	a := &Announcement{Components: make(map[string]string)}
	a.payload = payload{
		Device:     device{Identifiers: []string{hub}, Name: p.Hub.Name, Model: "hub", Manufacturer: "sighub", Version: p.Hub.Version},
		Origin:     origin{Name: "sighub", Version: p.Hub.Version},
		Components: make(map[string]component),
	}
	id := hub
	if d.UID != "" {
		id = "sighub_" + plain(d.UID)
		a.payload.Device = device{Identifiers: []string{id}, Name: d.Name, Via: hub}
		if d.Name == "" {
			a.payload.Device.Name = d.UID
		}
	} else {
		p.add(a, id, []string{"hub"}, component{Platform: "binary_sensor", Name: "Hub", Class: "connectivity", Category: "diagnostic",
			StateTopic: p.Topics.Hub(), Template: connected, PayloadOn: "online", PayloadOff: "offline"})
	}
	a.Topic = p.Prefix + "/device/" + id + "/config"
	for i := range d.Senders {
		s := &d.Senders[i]
		set := make(map[string]bool) // requests that an event's entity has
		for j := range s.Events {
			p.event(a, id, d, s, &s.Events[j], set)
		}
		for _, name := range s.Requests {
			if !set[name] {
				p.request(a, id, d, s, name)
			}
		}
	}
	return a
}

// add adds a component, whose key is made of names.
func (p *Plan) add(a *Announcement, id string, names []string, c component) {
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = plain(name)
	}
	own := strings.Join(parts, "--")
	key := c.Platform + "--" + own
	c.UniqueID = id + "--" + own
	c.QoS = 1
	a.Components[key] = c.Platform
	a.payload.Components[key] = c
}

// of makes a component one of a sender's: it is there while the hub and the sender are.
func (p *Plan) of(d *Device, s *Sender, name string, c component) component {
	c.Availability = []availability{{p.Topics.Hub(), connected}, {p.Topics.State(s.Name), connected}}
	c.All = "all"
	c.Name = words(name)
	if len(d.Senders) > 1 || d.UID == "" {
		c.Name = words(s.Name) + " " + c.Name
	}
	return c
}

// event adds what an event becomes, and notes the request that sets it.
func (p *Plan) event(a *Announcement, id string, d *Device, s *Sender, e *Event, set map[string]bool) {
	c := component{StateTopic: p.Topics.Event(s.Name, e.Name)}
	setter := p.setter(s, e)
	kind := e.Kind
	if e.Unit != "" {
		kind = Number
	}
	switch kind {
	case Number:
		m := meaningOf(s.Name, e.Name, e.Unit)
		c.Class, c.Unit, c.Template = m.class, m.unit, m.shown()
		if setter != "" {
			c.number(m)
			break
		}
		c.Platform, c.State = "sensor", m.state
		if e.Interval > 0 {
			c.Expire = int(math.Ceil(max(3*e.Interval, leastExpire).Seconds()))
		}
	case Boolean:
		c.Platform = "binary_sensor"
		if setter != "" {
			c.Platform = Switch
		}
		c.onOff()
	case Text:
		c.Platform, c.Template = "sensor", "{{ (value_json | string)[:255] }}" // a state has 255 characters at most
	case Nothing:
		c.Platform, c.EventTypes, c.Template = "event", []string{"reported"}, `{"event_type": "reported"}`
	default:
		return
	}
	if c.Platform == Switch || c.Platform == NumberBox {
		c.CommandTopic = p.Topics.Request(s.Name, setter)
		set[setter] = true
	}
	p.add(a, id, []string{s.Name, e.Name}, p.of(d, s, e.Name, c))
}

// number makes a component one whose number can be set.
func (c *component) number(m meaning) {
	least, most := -1e9, 1e9
	if c.Unit == "%" {
		least, most = 0, 100
	}
	c.Platform, c.Mode, c.Min, c.Max, c.Step = NumberBox, "box", &least, &most, 0.001
	if m.scaled() {
		c.Command = m.asked()
	}
}

// onOff says what on and off are: the same in states and in requests.
func (c *component) onOff() { c.PayloadOn, c.PayloadOff = "true", "false" }

// request adds what a request becomes that sets no event.
func (p *Plan) request(a *Announcement, id string, d *Device, s *Sender, name string) {
	c := component{Platform: p.entity(s.Name, name), CommandTopic: p.Topics.Request(s.Name, name)}
	switch c.Platform {
	case Button:
		c.Press, c.Class = "null", buttonClass(name)
	case Switch: // its state is not known
		c.onOff()
	case NumberBox:
		c.number(measured)
	default:
		return
	}
	p.add(a, id, []string{s.Name, "request", name}, p.of(d, s, name, c))
}

// plain writes a text with letters, digits and the underscore alone, and different texts differently: other bytes are -xx.
func plain(text string) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'-', digits[c>>4], digits[c&15]})
	}
	return b.String()
}

// words makes a name readable: air_temp is Air temp.
func words(name string) string {
	text := strings.Join(strings.FieldsFunc(name, func(r rune) bool { return r == '_' || r == ' ' || r == '#' }), " ")
	if text == "" {
		return name
	}
	if c := text[0]; c >= 'a' && c <= 'z' {
		return string(c-'a'+'A') + text[1:]
	}
	return text
}

// leastExpire is for how long a state counts at least: the way to the broker may be slow for a moment.
const leastExpire = 10 * time.Second
