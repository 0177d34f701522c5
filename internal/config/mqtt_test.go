package config

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestMQTT(t *testing.T) {
	c, err := Load(t.Context(), Stdin, strings.NewReader(`
bridges:
  mqtt:
    - url: mqtts://[::1]
      name: archive
      version: 3.1.1
      user: u
      password: /p
      ca: /ca
      topic: "x/{sender}/{event}"
      except: ["*:debug"]
      from: now
    - url: mqtt://ha.local:2000
      version: 5
      every: 2s
      commands: true
      homeassistant: {requests: {board/led: switch, "a b/c/d": none}, forget: 7d}
    - {url: "mqtt://ha.local:2000", name: plain, prefix: b/, newest: true, homeassistant: false}
`))
	if err != nil {
		t.Fatal(err)
	}
	list := c.Bridges.MQTT
	if len(list) != 3 {
		t.Fatalf("%d brokers", len(list))
	}
	if m := list[0]; m.Addr != "[::1]:8883" || !m.TLS || m.From != FromNow || m.Version != "3.1.1" || m.Sends() == nil || m.HomeAssistant != nil || m.Topic != "x/{sender}/{event}" {
		t.Errorf("%+v", m)
	}
	m := list[1]
	if m.Addr != "ha.local:2000" || m.TLS || m.Name != "mqtt" || m.Version != "5" || m.Every != 2*time.Second || !m.Commands || m.Sends() != nil {
		t.Errorf("%+v", m)
	}
	if h := m.HomeAssistant; h == nil || h.Prefix != "homeassistant" || h.Forget != 7*24*time.Hour || h.Requests["board/led"] != "switch" || h.Requests["a b/c/d"] != "none" {
		t.Errorf("%+v", h)
	}
	if m := list[2]; m.HomeAssistant != nil || !m.Newest {
		t.Errorf("%+v", m)
	}
	c, err = Load(t.Context(), Stdin, strings.NewReader("bridges: {mqtt: 'mqtt://x'}"))
	if err != nil || c.Bridges.MQTT[0].Addr != "x:1883" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestMQTTFaults(t *testing.T) {
	for text, want := range map[string]string{
		"{name: x}":                                                                   "no url",
		"{url: 'http://x'}":                                                           "not a broker's",
		"{url: 'mqtt://'}":                                                            "not a broker's",
		"{url: 'mqtt://a:b@x'}":                                                       "could be read by others",
		"{url: 'mqtt://x/y'}":                                                         "behind host and port",
		"{url: 'mqtt://x', prefix: a}":                                                "must end with /",
		"{url: 'mqtt://x', topic: 'a/{sender}'}":                                      "needs {sender} and {event}",
		"{url: 'mqtt://x', topic: '{sender}/{what}'}":                                 "is not a placeholder",
		"{url: 'mqtt://x', topic: '{sender}/{event'}":                                 "is not a placeholder",
		"{url: 'mqtt://x', topic: '{sender}{event}'}":                                 "in between",
		"{url: 'mqtt://x', topic: '#/{sender}/{event}'}":                              "cannot be in the topic",
		"{url: 'mqtt://x', topic: '$x/{sender}/{event}'}":                             "the broker's own",
		"{url: 'mqtt://x', topic: '/{sender}/{event}'}":                               "empty",
		"{url: 'mqtt://x', version: 3.1}":                                             "5 or 3.1.1",
		"{url: 'mqtt://x', payload: xml}":                                             "payload",
		"{url: 'mqtt://x', rate: 0}":                                                  "out of range",
		"{url: 'mqtt://x', newest: true, retain: true}":                               "leave them out",
		"{url: 'mqtt://x', homeassistant: true, topic: a}":                            "another entry",
		"{url: 'mqtt://x', homeassistant: {prefix: 'a/'}}":                            "without /",
		"{url: 'mqtt://x', homeassistant: {requests: {led: switch}}}":                 "sender/name",
		"{url: 'mqtt://x', homeassistant: {requests: {a/led: lamp}}}":                 "button",
		"{url: 'mqtt://x', homeassistant: {requests: switch}}":                        "lines such as",
		"{url: 'mqtt://x', ca: /a}":                                                   "mqtts://",
		"{url: 'mqtts://x', key: /a}":                                                 "belong together",
		"{url: 'mqtt://x', password: /a}":                                             "needs a user",
		"{url: 'mqtt://x', wat: 1}":                                                   "wat",
		"[{url: 'mqtt://x'}, {url: 'mqtt://y'}]":                                      "name of its own",
		"[{url: 'mqtt://x', newest: true}, {url: 'mqtt://x', name: b, newest: true}]": "another prefix",
	} {
		_, err := Load(t.Context(), Stdin, strings.NewReader("bridges: {mqtt: "+text+"}"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestAnnouncements(t *testing.T) {
	for text, want := range map[string]PortAnnouncements{
		"":                     {},
		"homeassistant: true":  {},
		"homeassistant: false": {Off: true},
		"homeassistant: {requests: {a/b: button}, forget: 7d}": {Requests: map[string]string{"a/b": "button"}, Forget: 7 * 24 * time.Hour},
	} {
		c, err := Load(t.Context(), Stdin, strings.NewReader("journal: off\n"+text))
		if err != nil || !reflect.DeepEqual(c.HomeAssistant, want) {
			t.Errorf("%s: %+v, %v", text, c, err)
		}
	}
	for _, text := range []string{"homeassistant: yes please", "homeassistant: {prefix: x}", "homeassistant: {requests: {a: button}}", "homeassistant: {requests: {a/b: lamp}}"} {
		if _, err := Load(t.Context(), Stdin, strings.NewReader(text)); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}
