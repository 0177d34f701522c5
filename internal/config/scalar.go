package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"sighub/internal/safetext"
	"sighub/internal/yamlfile"
)

// The methods below make the field of a key whose value is one scalar.

func (d *decoder) textField(key string, v *string) yamlfile.Field {
	return yamlfile.Key(key, func(n ast.Node) { *v, _ = d.Text(n, key) })
}

func (d *decoder) numberField(key string, v *float64) yamlfile.Field {
	return yamlfile.Key(key, func(n ast.Node) { *v, _ = d.number(n, key) })
}

func (d *decoder) countField(key string, v *int) yamlfile.Field {
	return yamlfile.Key(key, func(n ast.Node) { d.count(n, key, v) })
}

func (d *decoder) durationField(key string, v *time.Duration) yamlfile.Field {
	return yamlfile.Key(key, func(n ast.Node) { d.duration(n, key, v) })
}

// The methods below read one scalar. If it is wrong they report an error and leave the default as it is.

// word reads one of the words that a key may have. Capitals are as good as small letters, and what YAML takes for a number or
// for true or false is a word, too.
func (d *decoder) word(n ast.Node, what string) (string, bool) {
	switch n.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return strings.ToLower(n.GetToken().Value), true
	}
	text, ok := d.Text(n, what)
	return strings.ToLower(text), ok
}

func (d *decoder) choice(n ast.Node, what string, v *string, list []string) {
	if text, ok := d.word(n, what); ok && d.Check(n, checkOneOf(what, text, list)) {
		*v = text
	}
}

func (d *decoder) integer(n ast.Node, what string) (int, bool) {
	if v, ok := n.(*ast.IntegerNode); ok {
		i, err := strconv.ParseInt(fmt.Sprint(v.Value), 10, 32) // it is an int64 or a uint64
		if err != nil {
			d.Fail(n, "%s %s is out of range: write a smaller number", what, v.Token.Value)
		}
		return int(i), err == nil
	}
	if s, ok := n.(*ast.StringNode); ok {
		if whole := strings.NewReplacer(",", "", " ", "", "'", "").Replace(s.Value); isDigits(whole) {
			d.Fail(n, "%s must be an integer, not %q: write %s", what, s.Value, whole)
			return 0, false
		}
	}
	d.Fail(n, "%s must be an integer, not %s", what, describeScalar(n))
	return 0, false
}

func (d *decoder) number(n ast.Node, what string) (float64, bool) {
	switch v := n.(type) {
	case *ast.FloatNode:
		return v.Value, true
	case *ast.IntegerNode:
		switch i := v.Value.(type) {
		case int64:
			return float64(i), true
		case uint64:
			return float64(i), true
		}
	}
	if s, ok := n.(*ast.StringNode); ok {
		if point := strings.Replace(s.Value, ",", ".", 1); point != s.Value && isNumber(point) {
			d.Fail(n, "%s %s has a comma: write %s", what, s.Value, point)
			return 0, false
		}
	}
	d.Fail(n, "%s must be a number, not %s", what, describeScalar(n))
	return 0, false
}

func isDigits(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }

func isNumber(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	return err == nil
}

func (d *decoder) boolean(n ast.Node, what string, v *bool) {
	if b, ok := n.(*ast.BoolNode); ok {
		*v = b.Value
		return
	}
	d.Fail(n, "%s must be true or false, not %s", what, describeScalar(n))
}

// address reads the address of a device on its bus: a number, usually in hexadecimal, with or without quotes.
func (d *decoder) address(n ast.Node, v *uint64) {
	var text string
	switch a := n.(type) {
	case *ast.IntegerNode:
		text = a.Token.Value
	case *ast.StringNode:
		text = a.Value
	}
	addr, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		d.Fail(n, "address must be a number such as 0x23, not %s", describeScalar(n))
		return
	}
	*v = addr
}

// sender reads a name as the hub allows it: of a sender, an event or a pin.
func (d *decoder) sender(n ast.Node, what string, v *string) {
	text, ok := d.Text(n, what)
	if !ok {
		return
	}
	if err := safetext.CheckName(text); err != nil {
		d.Fail(n, "%s %q cannot be a name: %s", what, safetext.Short(text, 64), err)
		return
	}
	*v = text
}

// unit reads a unit as the hub allows it.
func (d *decoder) unit(n ast.Node, v *string) {
	text, ok := d.Text(n, "unit")
	if !ok {
		return
	}
	if err := safetext.CheckUnit(text); err != nil {
		d.Fail(n, "unit %q cannot be shown: %s", safetext.Short(text, 64), err)
		return
	}
	*v = text
}

// event reads the name of an event, which may be a channel.
func (d *decoder) event(n ast.Node, what string, v *string) {
	if d.Slip(n) == "" && yamlfile.IsNull(n) {
		d.Fail(n, `%s is empty: # begins a comment: put the name in quotes, "#dark"`, what)
		return
	}
	d.sender(n, what, v)
}

func (d *decoder) count(n ast.Node, what string, v *int) {
	i, ok := d.integer(n, what)
	switch {
	case !ok:
	case i < 1:
		d.Fail(n, "%s must be 1 or more, not %d", what, i)
	default:
		*v = i
	}
}

// The range of message_size. The minimum is what a legacy client reads at once; the maximum keeps a few clients from using
// up the memory.
const (
	minMessage = 4 << 10
	maxMessage = 256 << 20
)

// maxMemory is the largest size of memory: 100,000 senders of one machine take a quarter of that.
const maxMemory = 1 << 30

func (d *decoder) size(n ast.Node, what string, v *int) {
	size := int64(*v)
	d.sizeWithin(n, what, &size, minMessage, maxMessage, "4KiB to 256MiB")
	*v = int(size)
}

// sizeWithin reads a size in bytes; within says what the range is.
func (d *decoder) sizeWithin(n ast.Node, what string, v *int64, least, most int64, within string) {
	var text string
	switch s := n.(type) {
	case *ast.IntegerNode:
		text = s.Token.Value
	case *ast.StringNode:
		text = s.Value
	default:
		d.Fail(n, "%s is %s: write bytes, or a number with KiB, MiB or GiB, such as 1MiB", what, describeScalar(n))
		return
	}
	size, ok := parseSize(text)
	switch {
	case !ok:
		d.Fail(n, "%s %q is not a size: write bytes, or a number with KiB, MiB or GiB, such as 1MiB", what, text)
	case size < least || size > most:
		d.Fail(n, "%s %s is out of range: write a size from %s", what, text, within)
	default:
		*v = size
	}
}

func parseSize(text string) (int64, bool) {
	unit := int64(1)
	for i, name := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if rest, ok := strings.CutSuffix(text, name); ok {
			text, unit = strings.TrimSpace(rest), 1<<(10*(i+1))
			break
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n > math.MaxInt64/unit || n < math.MinInt64/unit {
		return 0, false
	}
	return n * unit, true
}

func (d *decoder) duration(n ast.Node, what string, v *time.Duration) {
	var text string
	switch s := n.(type) {
	case *ast.StringNode:
		text = s.Value
	case *ast.IntegerNode, *ast.FloatNode:
		d.Fail(n, "%s %s has no unit: write %ss or %sms", what, n.GetToken().Value, n.GetToken().Value, n.GetToken().Value)
		return
	default:
		d.Fail(n, "%s is %s: write a duration such as 500ms, 2s or 1m", what, describeScalar(n))
		return
	}
	t, err := time.ParseDuration(text)
	switch {
	case err != nil && isDuration(strings.ReplaceAll(text, " ", "")):
		d.Fail(n, "%s %q has a space: write %s", what, text, strings.ReplaceAll(text, " ", ""))
	case err != nil:
		d.Fail(n, "%s %q is not a duration: write one such as 500ms, 2s or 1m", what, text)
	case t < time.Millisecond || t > 24*time.Hour:
		d.Fail(n, "%s %s is out of range: write a time from 1ms to 24h", what, text)
	default:
		*v = t
	}
}

func isDuration(text string) bool {
	_, err := time.ParseDuration(text)
	return err == nil
}

func describeScalar(n ast.Node) string {
	switch v := n.(type) {
	case *ast.StringNode:
		return strconv.Quote(v.Value)
	case *ast.FloatNode:
		return v.Token.Value
	case *ast.BoolNode:
		return v.Token.Value
	}
	return yamlfile.Describe(n)
}
