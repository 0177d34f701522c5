package homeassistant

import (
	"slices"
	"strings"
)

// What a request may become. None leaves it out.
const (
	Button    = "button"
	Switch    = "switch"
	NumberBox = "number"
	None      = "none"
)

// Entities lists what a configuration may say that a request becomes.
func Entities() []string { return []string{Button, Switch, NumberBox, None} }

// pressed are names of requests that need no parameters. The dictionary of a device does not say what parameters its requests have.
var pressed = []string{
	"blink", "calibrate", "clear", "close", "down", "flush", "home", "identify", "lock", "measure", "next", "off", "on", "open", "press",
	"previous", "reboot", "refresh", "reset", "restart", "start", "stop", "tare", "toggle", "trigger", "turn_off", "turn_on", "unlock", "up",
	"zero",
}

// entity returns what a request becomes that sets no event.
func (p *Plan) entity(sender, name string) string {
	if e, said := p.Requests[sender+"/"+name]; said {
		return e
	}
	if slices.Contains(pressed, strings.ToLower(strings.ReplaceAll(name, "-", "_"))) {
		return Button
	}
	return None
}

// buttonClass returns the device_class of a button.
func buttonClass(name string) string {
	switch strings.ToLower(name) {
	case "identify", "blink":
		return "identify"
	case "restart", "reboot", "reset":
		return "restart"
	default:
		return ""
	}
}

// setter returns the request of a sender that sets what an event reports, by its name: set_lamp, set-lamp, setLamp or lamp for lamp. It
// is empty if no request does.
func (p *Plan) setter(s *Sender, e *Event) string {
	for _, name := range s.Requests {
		if said := p.Requests[s.Name+"/"+name]; said == None || said == Button {
			continue
		}
		rest, set := strings.CutPrefix(name, "set")
		switch {
		case name == e.Name:
			return name
		case set && (rest == "_"+e.Name || rest == "-"+e.Name || rest == "."+e.Name || rest == " "+e.Name):
			return name
		case set && rest != "" && rest[0] >= 'A' && rest[0] <= 'Z' && strings.EqualFold(rest, e.Name):
			return name
		}
	}
	return ""
}
