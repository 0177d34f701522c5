package mqtt

import (
	"errors"
	"fmt"
	"strings"

	"sighub/bridge"
	"sighub/homeassistant"
	"sighub/hub"
)

// A template makes the topics of events.
type template struct {
	parts []string // texts and, in between, the names of what is put there
	hub   string
}

// The names in a template.
const (
	ofHub    = "{hub}"
	ofDevice = "{device}"
	ofSender = "{sender}"
	ofEvent  = "{event}"
)

// CheckTopic returns an error unless events of all senders get topics by a template.
func CheckTopic(text string) error {
	_, err := parseTemplate(text, "hub")
	return err
}

// parseTemplate reads a template such as "plant/{hub}/{sender}/{event}".
func parseTemplate(text, hubName string) (*template, error) {
	t := &template{hub: homeassistant.Level(hubName)}
	rest := text
	for rest != "" {
		i := strings.IndexByte(rest, '{')
		if i < 0 {
			i = len(rest)
		}
		t.parts = append(t.parts, rest[:i])
		if rest = rest[i:]; rest == "" {
			break
		}
		end := strings.IndexByte(rest, '}')
		name := rest[:end+1]
		switch name {
		case ofHub, ofDevice, ofSender, ofEvent:
		default:
			return nil, fmt.Errorf("%q is not a placeholder: write %s, %s, %s or %s", rest[:max(end+1, min(len(rest), 16))], ofHub, ofDevice, ofSender, ofEvent)
		}
		t.parts = append(t.parts, name)
		rest = rest[end+1:]
	}
	switch {
	case !strings.Contains(text, ofSender) || !strings.Contains(text, ofEvent):
		return nil, fmt.Errorf("it needs %s and %s, so that each event has a topic of its own", ofSender, ofEvent)
	case strings.ContainsAny(text, "+#\x00"):
		return nil, errors.New("+ and # cannot be in the topic of a message")
	case strings.HasPrefix(text, "$"):
		return nil, errors.New("topics that begin with $ are the broker's own")
	case strings.Contains(text, "//") || strings.HasPrefix(text, "/") || strings.HasSuffix(text, "/"):
		return nil, errors.New("a level is empty: remove a /")
	case strings.Contains(text, "}{"):
		return nil, errors.New("two names need something in between, such as a /")
	}
	return t, nil
}

// topic returns the topic of an event.
func (t *template) topic(ev *bridge.Event) string {
	var b strings.Builder
	for i, part := range t.parts {
		switch {
		case i%2 == 0:
			b.WriteString(part)
		case part == ofHub:
			b.WriteString(t.hub)
		case part == ofDevice:
			b.WriteString(orNone(homeassistant.Level(ev.Device())))
		case part == ofSender:
			b.WriteString(orNone(homeassistant.Path(ev.Sender)))
		default:
			b.WriteString(word(ev.Name))
		}
	}
	return b.String()
}

// orNone returns the level of a topic, or _ if it is empty: the hub's own senders have no device, and gaps of the journal have no sender.
func orNone(level string) string {
	if level == "" {
		return "_"
	}
	return level
}

// word returns the level of an event: those that all senders have are written as at the hub's own MQTT port.
func word(event string) string {
	switch event {
	case hub.Connect, hub.Disconnect:
		return "_state"
	case hub.Gap:
		return "_gap"
	default:
		return homeassistant.Level(event)
	}
}
