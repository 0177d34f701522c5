package config

import (
	"github.com/goccy/go-yaml/ast"

	"sighub/sensors/drivers"
)

// options returns the fields of a sensor that only some drivers have.
func (d *decoder) options(o *drivers.Options, note func(key string, decode func(ast.Node)) field) []field {
	number := func(key string, v *float64) field {
		return note(key, func(n ast.Node) { *v, _ = d.number(n, key) })
	}
	count := func(key string, v *int) field {
		return note(key, func(n ast.Node) { d.count(n, key, v) })
	}
	return []field{
		note("mode", func(n ast.Node) { o.Mode, _ = d.text(n, "mode") }),
		number("gain", &o.Gain),
		note("integration", func(n ast.Node) { d.duration(n, "integration", &o.Integration) }),
		count("bits", &o.Bits),
		count("oversampling", &o.Oversampling),
		note("channel", func(n ast.Node) {
			if i, ok := n.(*ast.IntegerNode); ok {
				o.Channel = i.Token.Value // 0 to 3 need no quotes
			} else {
				o.Channel, _ = d.text(n, "channel")
			}
		}),
		number("range", &o.Range),
		count("rate", &o.Rate),
		note("law", func(n ast.Node) { o.Law = d.law(n) }),
	}
}

func (d *decoder) law(n ast.Node) *drivers.Law {
	l := new(drivers.Law)
	number := func(key string, v *float64) field {
		return field{key, func(n ast.Node) { *v, _ = d.number(n, key) }}
	}
	d.mapping(n, "law",
		field{"kind", func(n ast.Node) { l.Kind, _ = d.text(n, "kind") }},
		number("supply", &l.Supply),
		number("fixed", &l.Fixed),
		field{"grounded", func(n ast.Node) { d.boolean(n, "grounded", &l.Grounded) }},
		number("r10", &l.R10),
		number("gamma", &l.Gamma),
		number("r25", &l.R25),
		number("beta", &l.Beta),
		field{"steinhart_hart", func(n ast.Node) {
			i := 0
			d.items(n, "steinhart_hart", func(n ast.Node) {
				if v, ok := d.number(n, "a coefficient"); ok && i < len(l.SteinhartHart) {
					l.SteinhartHart[i] = v
				}
				i++
			})
			if i != len(l.SteinhartHart) {
				d.fail(n, "steinhart_hart has %d coefficients: write three, A, B and C", i)
			}
		}},
	)
	return l
}
