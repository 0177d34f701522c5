package config

import (
	"time"

	"github.com/goccy/go-yaml/ast"

	"sighub/internal/yamlfile"
)

// PortAnnouncements say what Home Assistant is told that is connected to the hub itself. Zero values are defaults.
type PortAnnouncements struct {
	Off      bool              `json:",omitempty"`
	Requests map[string]string `json:",omitempty"` // what requests become, by sender/name
	Forget   time.Duration     `json:",omitempty"`
}

// announcements reads the key homeassistant: a boolean, or what is not as by default.
func (d *decoder) announcements(n ast.Node, p *PortAnnouncements) {
	if _, is := n.(*ast.BoolNode); is {
		var on bool
		d.boolean(n, "homeassistant", &on)
		p.Off = !on
		return
	}
	var h HomeAssistant
	d.Mapping(n, "homeassistant",
		yamlfile.Key("requests", func(n ast.Node) { d.entities(n, &h) }),
		yamlfile.Key("forget", func(n ast.Node) { d.age(n, &h.Forget) }),
	)
	p.Requests, p.Forget = h.Requests, h.Forget
}
