package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"sighub/carrier"
	"sighub/internal/safetext"
)

// params are what a request says in its address. Each getter notes what is wrong; err is the first such problem.
type params struct {
	r     *http.Request
	query url.Values
	known []string
	err   *problemError
}

func newParams(r *http.Request) *params {
	p := &params{r: r}
	var err error
	if p.query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		p.fail("the parameters cannot be read: %v", err)
	}
	return p
}

func (p *params) fail(format string, args ...any) {
	if p.err == nil {
		p.err = problem(http.StatusBadRequest, "arguments", "GET api/v1/openapi.json says what may be asked", format, args...)
	}
}

// text returns a parameter that may be missing.
func (p *params) text(key string) string {
	p.known = append(p.known, key)
	values := p.query[key]
	switch {
	case len(values) == 0:
		return ""
	case len(values) > 1:
		p.fail("%s is there twice", key)
	case values[0] == "":
		p.fail("%s is empty: leave it out", key)
	case len(values[0]) > 1024 || !utf8.ValidString(values[0]):
		p.fail("%s is too long, or not UTF-8", key)
	}
	return values[0]
}

// name returns a parameter that names something, and may be missing.
func (p *params) name(key string) string {
	name := p.text(key)
	if name != "" {
		p.checkName(key, name)
	}
	return name
}

// inPath returns a name in the path.
func (p *params) inPath(key string) string {
	name := p.r.PathValue(key)
	p.checkName(key, name)
	return name
}

func (p *params) checkName(key, name string) {
	if err := safetext.CheckName(name); err != nil {
		p.fail("%s: %v", key, err)
	}
}

// number returns a parameter from 1 to most; 0 if it is missing.
func (p *params) number(key string, most uint64) uint64 {
	text := p.text(key)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n < 1 || n > most {
		p.fail("%s is a number from 1 to %d, not %q", key, most, safetext.Short(text, 32))
	}
	return n
}

// id returns a parameter that is the number of something; 0 if it is missing.
func (p *params) id(key string) uint64 { return p.number(key, 1<<63) }

// flag returns a parameter that is true or false.
func (p *params) flag(key string) bool {
	text := p.text(key)
	if text != "" && text != "true" && text != "false" {
		p.fail("%s is true or false, not %q", key, safetext.Short(text, 32))
	}
	return text == "true"
}

// oneOf returns a parameter that is one of a few words; the first one if it is missing.
func (p *params) oneOf(key string, words ...string) string {
	text := p.text(key)
	switch {
	case text == "":
		return words[0]
	case !slices.Contains(words, text):
		p.fail("%s is %s, not %q", key, strings.Join(words, " or "), safetext.Short(text, 32))
	}
	return text
}

// position returns a parameter that is a place in the journal, as in "3-1234".
func (p *params) position(key string) *position {
	text := p.text(key)
	if text == "" {
		return nil
	}
	at, ok := parsePosition(text)
	if !ok {
		p.fail("%s is a position as in an answer, such as 3-1234, not %q", key, safetext.Short(text, 32))
		return nil
	}
	return &at
}

// end returns the first problem. A parameter that is not known may be a slip, so it is one, too.
func (p *params) end() error {
	for key := range p.query {
		if !slices.Contains(p.known, key) {
			p.fail("the parameter %q is not known here", safetext.Short(key, 32))
		}
	}
	if p.err == nil {
		return nil
	}
	return p.err
}

// A position is a place in the journal.
type position struct {
	epoch    uint32
	sequence uint64
}

func parsePosition(text string) (at position, ok bool) {
	epoch, sequence, ok := strings.Cut(text, "-")
	if !ok {
		return at, false
	}
	e, err1 := strconv.ParseUint(epoch, 10, 32)
	s, err2 := strconv.ParseUint(sequence, 10, 64)
	return position{uint32(e), s}, err1 == nil && err2 == nil && e > 0
}

var errPosition = errors.New("this is not a position")

// String returns the position as it is told in HTTP.
func (at position) String() string {
	return strconv.FormatUint(uint64(at.epoch), 10) + "-" + strconv.FormatUint(at.sequence, 10)
}

// value returns the position as the protocol has it.
func (at position) value() carrier.Value {
	return carrier.ValueOf([]uint64{uint64(at.epoch), at.sequence})
}

// UnmarshalJSON reads a position as the protocol has it, or as it is told in HTTP.
func (at *position) UnmarshalJSON(b []byte) (err error) {
	var text string
	if unmarshal(b, &text) == nil {
		var ok bool
		if *at, ok = parsePosition(text); !ok {
			err = errPosition
		}
		return err
	}
	var list [2]uint64
	if err := unmarshal(b, &list); err != nil {
		return err
	}
	at.epoch, at.sequence = uint32(list[0]), list[1]
	return nil
}

// MarshalText writes a position as it is told in HTTP.
func (at position) MarshalText() ([]byte, error) { return []byte(at.String()), nil }

// with adds a field to an object, unless its value is missing.
func with(o carrier.Object, key string, value any) carrier.Object {
	switch v := value.(type) {
	case string:
		if v == "" {
			return o
		}
	case uint64:
		if v == 0 {
			return o
		}
	case bool:
		if !v {
			return o
		}
	case *position:
		if v == nil {
			return o
		}
		value = v.value()
	}
	return append(o, carrier.Field{Key: key, Value: value})
}
