package nats

import (
	"errors"
	"fmt"
	"strings"
)

// nothing is the token for an empty name.
const nothing = "-"

const hexDigits = "0123456789ABCDEF"

// token returns a name as a token of a subject. What a token cannot have is written as % and two hexadecimal digits for each byte:
// spaces and control characters, the dot and the wildcards * and >, and % itself. So is the name "-", which else stands for no name.
func token(name string) string {
	if name == "" {
		return nothing
	}
	if name == nothing {
		return "%2D"
	}
	special := 0
	for i := range len(name) {
		if isSpecial(name[i]) {
			special++
		}
	}
	if special == 0 {
		return name
	}
	var b strings.Builder
	b.Grow(len(name) + 2*special)
	for i := range len(name) {
		if c := name[i]; isSpecial(c) {
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func isSpecial(c byte) bool {
	return c <= ' ' || c == 0x7f || c == '.' || c == '*' || c == '>' || c == '%'
}

var errToken = errors.New("nats: not a token of a subject that a bridge writes")

// untoken returns the name that a token stands for.
func untoken(t string) (string, error) {
	if t == nothing {
		return "", nil
	}
	if !strings.Contains(t, "%") {
		return t, nil
	}
	var b strings.Builder
	for i := 0; i < len(t); i++ {
		if t[i] != '%' {
			b.WriteByte(t[i])
			continue
		}
		if i+2 >= len(t) {
			return "", fmt.Errorf("%w: %q", errToken, t)
		}
		high, low := strings.IndexByte(hexDigits, t[i+1]), strings.IndexByte(hexDigits, t[i+2])
		if high < 0 || low < 0 {
			return "", fmt.Errorf("%w: %q", errToken, t)
		}
		b.WriteByte(byte(high<<4 | low))
		i += 2
	}
	return b.String(), nil
}

// lateToken is behind the event in the subject of a late one: an event that others of its hub have passed. So the messages of a subject are
// always in order, and the last one is the newest.
const lateToken = "late"

// A place is where an event belongs.
type place struct {
	hub, device, sender, event string
	late                       bool
}

// subject returns the subject of an event.
func (p place) subject(prefix string) string {
	subject := prefix + "." + token(p.hub) + "." + token(p.device) + "." + token(p.sender) + "." + token(p.event)
	if p.late {
		subject += "." + lateToken
	}
	return subject
}

// parseSubject returns where the event of a subject belongs.
func parseSubject(prefix, subject string) (p place, err error) {
	rest, ok := strings.CutPrefix(subject, prefix+".")
	parts := strings.Split(rest, ".")
	if p.late = len(parts) == 5 && parts[4] == lateToken; p.late {
		parts = parts[:4]
	}
	if !ok || len(parts) != 4 {
		return p, fmt.Errorf("%w: %q", errToken, subject)
	}
	for i, to := range []*string{&p.hub, &p.device, &p.sender, &p.event} {
		if *to, err = untoken(parts[i]); err != nil {
			return place{}, err
		}
	}
	return p, nil
}
