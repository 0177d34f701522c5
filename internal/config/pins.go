package config

import (
	"time"

	"github.com/goccy/go-yaml/ast"

	"sighub/internal/yamlfile"
	"sighub/sensors/threshold"
)

// A Pin is a digital input of the gateway.
type Pin struct {
	Pin       string // the kernel's name for it: GPIO17
	Sender    string
	Event     string
	Pull      string // one of pulls
	ActiveLow bool
	Debounce  time.Duration // 0: the default
}

// A Threshold is a [threshold.Threshold].
type Threshold = threshold.Threshold

// The values of pull; the first is the default.
const (
	PullOff  = "off"
	PullUp   = "up"
	PullDown = "down"
)

func pulls() []string  { return []string{PullOff, PullUp, PullDown} }
func levels() []string { return []string{"high", "low"} }

func (d *decoder) pins(n ast.Node, s *Sensing) {
	d.Items(n, "pins", func(n ast.Node) {
		p := Pin{Event: "level", Pull: PullOff}
		active := ""
		before := d.Found()
		d.Mapping(n, "a pin",
			yamlfile.Key("pin", func(n ast.Node) { d.sender(n, "pin", &p.Pin) }),
			yamlfile.Key("sender", func(n ast.Node) { d.sender(n, "sender", &p.Sender) }),
			yamlfile.Key("event", func(n ast.Node) { d.event(n, "event", &p.Event) }),
			yamlfile.Key("pull", func(n ast.Node) { d.choice(n, "pull", &p.Pull, pulls()) }),
			yamlfile.Key("active", func(n ast.Node) { d.choice(n, "active", &active, levels()) }),
			yamlfile.Key("debounce", func(n ast.Node) {
				if d.duration(n, "debounce", &p.Debounce); p.Debounce > time.Second {
					d.Fail(n, "debounce %s is out of range: write a time from 1ms to 1s", p.Debounce)
				}
			}),
		)
		p.ActiveLow = active == "low"
		if d.Found() == before && p.Pin == "" {
			d.Fail(n, "this entry names no pin: write one, such as pin: GPIO17")
		}
		if d.Found() > before {
			return
		}
		if p.Sender == "" {
			p.Sender = p.Pin
		}
		if d.only(n, PinPlace(p.Pin)) && d.name(n, p.Sender) {
			s.Pins = append(s.Pins, p)
		}
	})
}

func (d *decoder) thresholds(n ast.Node, s *Sensing) {
	d.Items(n, "thresholds", func(n ast.Node) {
		var t Threshold
		var limits, until int
		before := d.Found()
		limit := func(key string, above bool) yamlfile.Field {
			return yamlfile.Key(key, func(n ast.Node) {
				t.Above = above
				limits++
				t.Limit, _ = d.number(n, key)
			})
		}
		d.Mapping(n, "a threshold",
			yamlfile.Key("sender", func(n ast.Node) { d.sender(n, "sender", &t.Sender) }),
			yamlfile.Key("event", func(n ast.Node) { d.event(n, "event", &t.Event) }),
			limit("below", false),
			limit("above", true),
			yamlfile.Key("until", func(n ast.Node) {
				until++
				t.Until, _ = d.number(n, "until")
			}),
			yamlfile.Key("report", func(n ast.Node) { d.event(n, "report", &t.Report) }),
			yamlfile.Key("as", func(n ast.Node) { d.sender(n, "as", &t.As) }),
		)
		if d.Found() > before {
			return
		}
		if limits != 1 {
			d.Fail(n, "a threshold must have one limit: write either below or above")
			return
		}
		if until == 0 {
			t.Until = t.Limit
		}
		if d.Check(n, t.Check()) && d.name(n, t.As) {
			s.Thresholds = append(s.Thresholds, t)
			d.watched = append(d.watched, watch{n, t.Sender, t.Event})
		}
	})
}
