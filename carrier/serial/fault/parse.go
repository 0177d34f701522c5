package fault

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A key is an option as users write it.
type key[T any] struct {
	name    string
	example string
	parse   func(of *T, text string) error
	format  func(*T) string // empty: not set
}

// newKey returns the key of a field, which is not set if it is zero.
func newKey[T any, V comparable](name, example string, field func(*T) *V, parse func(string) (V, error), format func(V) string) key[T] {
	return key[T]{name: name, example: example,
		parse: func(of *T, text string) (err error) {
			*field(of), err = parse(text)
			return err
		},
		format: func(of *T) string {
			var unset V
			if v := *field(of); v != unset {
				return format(v)
			}
			return ""
		},
	}
}

// harms returns the keys that apply to one direction or to both.
func harms() []key[Harm] {
	return []key[Harm]{
		newKey("flip", "1e-4", func(h *Harm) *float64 { return &h.Flip }, parseChance, formatChance),
		newKey("lose", "0.1%", func(h *Harm) *float64 { return &h.Lose }, parseChance, formatChance),
		newKey("double", "0.1%", func(h *Harm) *float64 { return &h.Double }, parseChance, formatChance),
		newKey("insert", "0.1%", func(h *Harm) *float64 { return &h.Insert }, parseChance, formatChance),
		newKey("drop", "1%", func(h *Harm) *float64 { return &h.Drop }, parseChance, formatChance),
		newKey("repeat", "1%", func(h *Harm) *float64 { return &h.Repeat }, parseChance, formatChance),
		newKey("delay", "2ms..20ms", func(h *Harm) *Range { return &h.Delay }, parseRange, Range.text),
		newKey("baud", "115200", func(h *Harm) *int { return &h.Baud }, strconv.Atoi, strconv.Itoa),
	}
}

// wholes returns the keys that apply to the line as a whole.
func wholes() []key[Options] {
	return []key[Options]{
		newKey("cut", "30s", func(o *Options) *time.Duration { return &o.Cut }, time.ParseDuration, time.Duration.String),
		newKey("away", "5s", func(o *Options) *time.Duration { return &o.Away }, time.ParseDuration, time.Duration.String),
		newKey("boot", "esp32", func(o *Options) *string { return &o.Boot }, parseBoot, formatBoot),
		newKey("seed", "7", func(o *Options) *uint64 { return &o.Seed }, parseSeed, formatSeed),
	}
}

// The prefixes of a key that applies to one direction.
const toHub, toDevice = "to-hub.", "to-device."

// Parse reads options as users write them: keys and values as in
//
//	flip=1e-4,lose=0.1%,double=0.1%,insert=0.1%,drop=1%,repeat=1%,delay=2ms..20ms,baud=115200,cut=30s,away=5s,boot=esp32,seed=7
//
// in any order, each at most once. All but the last four apply to both directions, or with the prefix "to-hub." or
// "to-device." to one: to-hub.drop=1%. Chances are fractions or percentages; boot is esp32, or a text in double quotes as in
// Go. The empty text is a perfect line.
func Parse(text string) (Options, error) {
	var o Options
	seen := make(map[string]bool)
	for rest := text; rest != ""; {
		name, value, ok := strings.Cut(rest, "=")
		if !ok {
			return Options{}, fmt.Errorf("fault: %q says nothing: %s", rest, possible())
		}
		if value, rest, ok = cutValue(value); !ok {
			return Options{}, fmt.Errorf("fault: %s=%s: the text is not quoted as it should be", name, value)
		}
		directions, targets := []string{toHub, toDevice}, []*Harm{&o.ToHub, &o.ToDevice}
		plain := name
		for i, d := range directions {
			if cut, ok := strings.CutPrefix(name, d); ok {
				plain, directions, targets = cut, directions[i:i+1], targets[i:i+1]
				break
			}
		}
		found, err := set(harms(), plain, value, targets...)
		if !found {
			directions = []string{""}
			found, err = set(wholes(), name, value, &o)
		}
		if !found {
			return Options{}, fmt.Errorf("fault: there is no %q: %s", name, possible())
		}
		if err != nil {
			return Options{}, err
		}
		for _, d := range directions {
			if seen[d+plain] {
				return Options{}, fmt.Errorf("fault: %s is given twice", name)
			}
			seen[d+plain] = true
		}
	}
	if err := o.check(); err != nil {
		return Options{}, err
	}
	return o, nil
}

// cutValue splits the text after its first value, at a comma outside of quotes.
func cutValue(text string) (value, rest string, ok bool) {
	if strings.HasPrefix(text, `"`) {
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil {
			return text, "", false
		}
		rest = text[len(quoted):]
		return quoted, strings.TrimPrefix(rest, ","), rest == "" || rest[0] == ','
	}
	value, rest, _ = strings.Cut(text, ",")
	return value, rest, true
}

// set parses the value of one of the keys into all targets.
func set[T any](keys []key[T], name, value string, targets ...*T) (found bool, err error) {
	for _, k := range keys {
		if k.name != name {
			continue
		}
		for _, t := range targets {
			if err := k.parse(t, value); err != nil {
				return true, fmt.Errorf("fault: %s=%s is not understood: write it as in %s=%s", name, value, name, k.example)
			}
		}
		return true, nil
	}
	return false, nil
}

// possible lists all keys.
func possible() string {
	var names, examples []string
	for _, k := range harms() {
		names, examples = append(names, k.name), append(examples, k.name+"="+k.example)
	}
	for _, k := range wholes() {
		names, examples = append(names, k.name), append(examples, k.name+"="+k.example)
	}
	return fmt.Sprintf("write one or more of %s, as in %s", strings.Join(names, ", "), strings.Join(examples, ","))
}

// String returns the options as Parse reads them.
func (o Options) String() string {
	var parts []string
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, name+"="+value)
		}
	}
	for _, k := range harms() {
		if hub, device := k.format(&o.ToHub), k.format(&o.ToDevice); hub == device {
			add(k.name, hub)
		} else {
			add(toHub+k.name, hub)
			add(toDevice+k.name, device)
		}
	}
	for _, k := range wholes() {
		add(k.name, k.format(&o))
	}
	return strings.Join(parts, ",")
}

func parseChance(text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	p, err := strconv.ParseFloat(number, 64)
	if percent {
		p /= 100
	}
	return p, err
}

func formatChance(p float64) string { return strconv.FormatFloat(p, 'g', -1, 64) }

func parseRange(text string) (Range, error) {
	lo, hi, ok := strings.Cut(text, "..")
	if !ok {
		hi = lo
	}
	from, err := time.ParseDuration(lo)
	to, err2 := time.ParseDuration(hi)
	return Range{from, to}, errors.Join(err, err2)
}

func (r Range) text() string {
	if r.Min == r.Max {
		return r.Min.String()
	}
	return r.Min.String() + ".." + r.Max.String()
}

func parseSeed(text string) (uint64, error) { return strconv.ParseUint(text, 10, 64) }
func formatSeed(seed uint64) string         { return strconv.FormatUint(seed, 10) }

// bootESP32 is the name of what [ESP32] prints.
const bootESP32 = "esp32"

func parseBoot(text string) (string, error) {
	if text == bootESP32 {
		return ESP32(), nil
	}
	if !strings.HasPrefix(text, `"`) {
		return "", errors.New("not in double quotes")
	}
	return strconv.Unquote(text)
}

func formatBoot(text string) string {
	if text == ESP32() {
		return bootESP32
	}
	return strconv.Quote(text)
}
