package config

import (
	"github.com/goccy/go-yaml/ast"

	"sighub/internal/yamlfile"
	"sighub/sensors/drivers"
)

// options returns the fields of a sensor that only some drivers have.
func (d *decoder) options(o *drivers.Options) []yamlfile.Field {
	return []yamlfile.Field{
		d.textField("mode", &o.Mode),
		d.numberField("gain", &o.Gain),
		d.durationField("integration", &o.Integration),
		d.countField("bits", &o.Bits),
		d.countField("oversampling", &o.Oversampling),
		yamlfile.Key("channel", func(n ast.Node) {
			if i, ok := n.(*ast.IntegerNode); ok {
				o.Channel = i.Token.Value // 0 to 3 need no quotes
			} else {
				o.Channel, _ = d.Text(n, "channel")
			}
		}),
		d.numberField("range", &o.Range),
		d.countField("rate", &o.Rate),
		yamlfile.Key("law", func(n ast.Node) { o.Law = d.law(n) }),
	}
}

func (d *decoder) law(n ast.Node) *drivers.Law {
	l := new(drivers.Law)
	d.Mapping(n, "law",
		d.textField("kind", &l.Kind),
		d.numberField("supply", &l.Supply),
		d.numberField("fixed", &l.Fixed),
		yamlfile.Key("grounded", func(n ast.Node) { d.boolean(n, "grounded", &l.Grounded) }),
		d.numberField("r10", &l.R10),
		d.numberField("gamma", &l.Gamma),
		d.numberField("r25", &l.R25),
		d.numberField("beta", &l.Beta),
		yamlfile.Key("steinhart_hart", func(n ast.Node) {
			var list []float64
			d.Items(n, "steinhart_hart", func(n ast.Node) {
				v, _ := d.number(n, "a coefficient")
				list = append(list, v)
			})
			if copy(l.SteinhartHart[:], list); len(list) != len(l.SteinhartHart) {
				d.Fail(n, "steinhart_hart has %d coefficients: write three, A, B and C", len(list))
			}
		}),
	)
	return l
}
