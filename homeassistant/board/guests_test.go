package board_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sighub/homeassistant/board"
	"sighub/hub/verb"
	"sighub/internal/mqtt/packet"
	"sighub/internal/mqtt/topic"
)

func (a *home) subscribe(filters ...string) {
	a.t.Helper()
	body := []byte{0, 2}
	for _, f := range filters {
		body = append(packet.AppendText(body, f), 1)
	}
	a.send(packet.Subscribe, 2, body)
}

// hears waits until a topic has a payload.
func (a *home) hears(at, payload string) {
	a.t.Helper()
	a.until(at+" is "+payload, func() bool { return a.has[at] == payload })
}

// What programs announce, as Zigbee2MQTT and ESPHome do.
const (
	lampAt = "homeassistant/light/0x00124b001f2c4a11/light/config"
	lamp   = `{"availability":[{"topic":"zigbee2mqtt/bridge/state","value_template":"{{ value_json.state }}"},` +
		`{"topic":"zigbee2mqtt/lamp/availability","value_template":"{{ value_json.state }}"}],"availability_mode":"all","brightness":true,` +
		`"command_topic":"zigbee2mqtt/lamp/set","device":{"identifiers":["zigbee2mqtt_0x00124b001f2c4a11"],"name":"lamp"},"name":null,` +
		`"origin":{"name":"Zigbee2MQTT"},"schema":"json","state_topic":"zigbee2mqtt/lamp","unique_id":"0x00124b001f2c4a11_light_zigbee2mqtt"}`
	plugAt = "homeassistant/switch/livingroom/plug/config"
	outlet = `{"~":"livingroom/switch/plug","name":"Plug","stat_t":"~/state","cmd_t":"~/command","avty_t":"livingroom/status",` +
		`"uniq_id":"ESPswitchplug","dev":{"ids":"a4cf12000001","name":"livingroom"}}`
	warmAt = "homeassistant/sensor/livingroom/temp/config"
	warm   = `{"name":"Temp","stat_t":"livingroom/sensor/temp/state","avty_t":"livingroom/status","unit_of_meas":"°C","uniq_id":"ESPsensortemp",` +
		`"dev": {"ids":"a4cf12000001", "name":"livingroom"}}` // it is told as it was written
)

// TestGuests: programs that announce themselves to Home Assistant find in the hub what they need of a broker, and so does it: what they announce
// is there for who comes later, also after a start of the hub; states come, and commands go where they are listened to, from several clients at
// once; and the hub does not announce the same again.
func TestGuests(t *testing.T) {
	o := houseOptions{folder: t.TempDir(), journal: t.TempDir()}
	h := newHouse(t, o)
	zigbee := h.visit(nil, "", "homeassistant/status", "zigbee2mqtt/#")
	for at, payload := range map[string]string{
		lampAt: lamp, "zigbee2mqtt/bridge/state": `{"state":"online"}`, "zigbee2mqtt/lamp": `{"brightness":120,"state":"OFF"}`,
		"zigbee2mqtt/lamp/availability": `{"state":"online"}`,
	} {
		zigbee.publish(at, payload)
	}
	esp := h.visit(nil, "", "livingroom/switch/plug/command", "homeassistant/status")
	for at, payload := range map[string]string{
		plugAt: outlet, warmAt: warm, "livingroom/status": "online", "livingroom/switch/plug/state": "OFF", "livingroom/sensor/temp/state": "21.5",
	} {
		esp.publish(at, payload)
	}
	filters := []string{"homeassistant/+/+/config", "homeassistant/+/+/+/config"}
	ha := h.visit(nil, "", filters...)
	ha.hears(lampAt, lamp)
	ha.hears(plugAt, outlet)
	ha.hears(warmAt, warm)
	states := []string{"zigbee2mqtt/bridge/state", "zigbee2mqtt/lamp", "zigbee2mqtt/lamp/availability", "livingroom/switch/plug/state", "livingroom/sensor/temp/state"}
	ha.subscribe(states...)
	ha.hears("zigbee2mqtt/bridge/state", `{"state":"online"}`)
	ha.hears("zigbee2mqtt/lamp", `{"brightness":120,"state":"OFF"}`)
	ha.hears("zigbee2mqtt/lamp/availability", `{"state":"online"}`)
	ha.hears("livingroom/sensor/temp/state", "21.5")
	ha.publish("homeassistant/status", "online")
	zigbee.hears("homeassistant/status", "online")
	esp.hears("homeassistant/status", "online")

	red := h.visit(nil, "", "nothing/here")
	for i, from := range []*home{ha, red, ha} {
		state := fmt.Sprintf(`{"brightness":%d}`, i)
		from.publish("zigbee2mqtt/lamp/set", state)
		zigbee.hears("zigbee2mqtt/lamp/set", state)
		zigbee.publish("zigbee2mqtt/lamp", state)
		ha.hears("zigbee2mqtt/lamp", state)
		from.publish("livingroom/switch/plug/command", fmt.Sprint(i))
		esp.hears("livingroom/switch/plug/command", fmt.Sprint(i))
		esp.publish("livingroom/switch/plug/state", fmt.Sprint(i))
		ha.hears("livingroom/switch/plug/state", fmt.Sprint(i))
	}
	h.add("cpu", temp)
	ha.expect("Barn sensor--cpu--temp")
	if refused := h.refused("ha-"); len(refused) > 0 {
		t.Errorf("refused %v", refused)
	}

	h.end()
	h = newHouse(t, o)
	ha = h.visit(nil, "", append(filters, states...)...)
	ha.hears(lampAt, lamp)
	ha.hears(warmAt, warm)
	ha.hears("zigbee2mqtt/lamp", `{"brightness":2}`)
	ha.publish(lampAt, "") // as it does when its user removes the device
	ha.until("it is gone", func() bool { return ha.has[lampAt] == "" && slices.Contains(ha.said, lampAt+" ") })
	late := h.visit(nil, "", filters...)
	late.hears(warmAt, warm)
	if late.has[lampAt] != "" {
		t.Error("what was removed is announced")
	}
}

// TestGuestRights: who may not trigger an event cannot announce anything there, nor have the hub announce less; and there are bounds.
func TestGuestRights(t *testing.T) {
	folder := t.TempDir()
	b := board.New(board.Options{Place: func() (string, string, error) { return "h1", folder, nil }})
	b.SetPolicy(guestRules{})
	at := func(text string) topic.Name {
		n, err := topic.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for identity, ok := range map[string]bool{"guest": true, "other": false} {
		if err := b.Announce(identity, warmAt, at(warmAt), []byte(warm)); (err == nil) != ok {
			t.Errorf("%s: %v", identity, err)
		}
	}
	for name, payload := range map[string]string{"a text": "on", "null": "null", "large": `{"a":"` + strings.Repeat("x", 64<<10) + `"}`} {
		if err := b.Announce("guest", warmAt, at(warmAt), []byte(payload)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	large := `{"a":"` + strings.Repeat("x", 60<<10) + `"}`
	n := 0
	for ; n < 5000; n++ {
		text := fmt.Sprintf("homeassistant/sensor/x%d/config", n)
		if err := b.Announce("guest", text, at(text), []byte(large)); err != nil {
			break
		}
	}
	if n < 20 || n > 70 {
		t.Errorf("%d large announcements are taken", n)
	}
	file := filepath.Join(folder, "announced.json")
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	b = board.New(board.Options{Place: func() (string, string, error) { return "h1", folder, nil }})
	if err := b.Announce("guest", warmAt, at(warmAt), []byte(warm)); err != nil {
		t.Errorf("with a damaged file: %v", err)
	}
}

// guestRules allow the identity guest everything, and nobody else.
type guestRules struct{}

func (guestRules) May(identity string, _ verb.Verb, _, _ string) (bool, string) {
	return identity == "guest", ""
}
func (guestRules) Class(string) uint16           { return 0 }
func (guestRules) Hears(string, string) []uint64 { return []uint64{1} }
