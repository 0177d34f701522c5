package formats

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"sighub/internal/safetext"
)

// pairsParser takes a line for names and values, as people print them and as the Arduino's serial plotter wants them:
//
//	temp:21.5,hum:40
//	temp=21.5 hum=40
//	Humidity: 40.00%  Temperature: 21.50°C 70.70°F
type pairsParser struct{ numbers numbers }

// maxWords is of how many words a name may be.
const maxWords = 3

// Parse implements [Parser].
func (p pairsParser) Parse(list []Event, line string, _ time.Time) ([]Event, error) {
	line, err := Text(line)
	if err != nil {
		return list, err
	}
	if isBoot(line) {
		return list, errBoot
	}
	from := len(list)
	var failed error // a value that the device does not have harms no other
	for s := trim(line); s != ""; {
		var e Event
		e, s, err = p.pair(s)
		switch {
		case err == errNoValue: //nolint:errorlint // it is never wrapped
			failed = &ValueError{Event: e.Name, Err: err}
			continue
		case err == nil:
			list, err = appendOnce(list, from, e)
		case e.Name != "":
			err = &ValueError{Event: e.Name, Err: err}
		}
		if err != nil {
			return list[:from], err
		}
	}
	return list, failed
}

// trim removes what separates pairs.
func trim(s string) string { return strings.TrimLeft(s, " \t,;|&") }

// pair reads a pair at the beginning of a text, and returns the rest.
func (p pairsParser) pair(s string) (e Event, rest string, err error) {
	at := strings.IndexAny(s, ":=")
	if at < 0 {
		return e, "", errLeft
	}
	name := strings.Trim(s[:at], " \t\"'")
	if err := pairName(name); err != nil {
		return e, "", err
	}
	e.Name = name
	s = strings.TrimLeft(s[at+1:], " \t")
	if s != "" && s[0] == '"' {
		end := strings.IndexByte(s[1:], '"')
		if end < 0 {
			return e, "", errText
		}
		text := s[1 : 1+end]
		if len(text) > maxText || safetext.Check(text) != nil {
			return e, "", errText
		}
		e.Value = text
		return e, trim(s[end+2:]), nil
	}
	token := p.token(s)
	v, unit, err := p.numbers.measured(token)
	if errors.Is(err, errNumber) {
		e.Value, err = word(token)
		return e, trim(s[len(token):]), err // an error ends the line
	}
	e.Value, e.Unit = v, unit
	return p.after(e, s[len(token):], err)
}

// after reads what may follow a number: its unit, and the same value in another unit.
func (p pairsParser) after(e Event, rest string, err error) (Event, string, error) {
	if err != nil && err != errNoValue { //nolint:errorlint // it is never wrapped
		return e, "", err
	}
	if e.Unit == "" {
		next := strings.TrimLeft(rest, " ")
		token := p.token(next)
		if unit, ok := knownUnit(token); ok && !named(next[len(token):]) {
			e.Unit, rest = unit, next[len(token):]
		}
	}
	if e.Unit != "" {
		next := strings.TrimLeft(rest, " ")
		token := p.token(next)
		if _, unit, err := p.numbers.measured(token); err == nil && unit != "" && !named(next[len(token):]) {
			rest = next[len(token):]
		}
	}
	if rest != "" && trim(rest) == rest {
		return e, "", errLeft
	}
	return e, trim(rest), err
}

// named reports whether what stood before was a name.
func named(rest string) bool {
	rest = strings.TrimLeft(rest, " \t")
	return rest != "" && (rest[0] == ':' || rest[0] == '=')
}

// token returns a value at the beginning of a text: what reaches to white space or to what separates pairs.
func (p pairsParser) token(s string) string {
	for i := range len(s) {
		switch s[i] {
		case ' ', '\t', ';', '|', '&':
			return s[:i]
		case ',':
			if !p.numbers.comma || i == 0 || i+1 == len(s) || !isDigit(s[i-1]) || !isDigit(s[i+1]) {
				return s[:i]
			}
		}
	}
	return s
}

// pairName returns an error unless a text is a name: one to three words that begin with letters.
func pairName(name string) error {
	words := 0
	for word := range strings.FieldsSeq(name) {
		words++
		if !isLetter(word[0]) && word[0] != '_' && word[0] < 0x80 || strings.ContainsAny(word, `"'()[]{}<>,;|&`) || words > maxWords {
			return fmt.Errorf("%w: %s is not a name", ErrForm, safetext.Short(name, maxName))
		}
	}
	if words == 0 {
		return fmt.Errorf("%w: a name is missing", ErrForm)
	}
	return CheckName(name)
}
