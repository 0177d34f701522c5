package config

import (
	"time"

	"github.com/goccy/go-yaml/ast"

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
	d.items(n, "pins", func(n ast.Node) {
		p := Pin{Event: "level", Pull: PullOff}
		active := ""
		before := len(d.errs)
		d.mapping(n, "a pin",
			field{"pin", func(n ast.Node) { d.sender(n, "pin", &p.Pin) }},
			field{"sender", func(n ast.Node) { d.sender(n, "sender", &p.Sender) }},
			field{"event", func(n ast.Node) { d.event(n, "event", &p.Event) }},
			field{"pull", func(n ast.Node) { d.choice(n, "pull", &p.Pull, pulls()) }},
			field{"active", func(n ast.Node) { d.choice(n, "active", &active, levels()) }},
			field{"debounce", func(n ast.Node) {
				if d.duration(n, "debounce", &p.Debounce); p.Debounce > time.Second {
					d.fail(n, "debounce %s is out of range: write a time from 1ms to 1s", p.Debounce)
				}
			}},
		)
		p.ActiveLow = active == "low"
		if len(d.errs) == before && p.Pin == "" {
			d.fail(n, "this entry names no pin: write one, such as pin: GPIO17")
		}
		if len(d.errs) > before {
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
	d.items(n, "thresholds", func(n ast.Node) {
		var t Threshold
		var limits, until int
		before := len(d.errs)
		limit := func(key string, above bool) field {
			return field{key, func(n ast.Node) {
				t.Above = above
				limits++
				t.Limit, _ = d.number(n, key)
			}}
		}
		d.mapping(n, "a threshold",
			field{"sender", func(n ast.Node) { d.sender(n, "sender", &t.Sender) }},
			field{"event", func(n ast.Node) { d.event(n, "event", &t.Event) }},
			limit("below", false),
			limit("above", true),
			field{"until", func(n ast.Node) {
				until++
				t.Until, _ = d.number(n, "until")
			}},
			field{"report", func(n ast.Node) { d.event(n, "report", &t.Report) }},
			field{"as", func(n ast.Node) { d.sender(n, "as", &t.As) }},
		)
		if len(d.errs) > before {
			return
		}
		if limits != 1 {
			d.fail(n, "a threshold must have one limit: write either below or above")
			return
		}
		if until == 0 {
			t.Until = t.Limit
		}
		if d.check(n, t.Check()) && d.name(n, t.As) {
			s.Thresholds = append(s.Thresholds, t)
			d.watched = append(d.watched, watch{n, t.Sender, t.Event})
		}
	})
}
