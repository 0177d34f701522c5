// Package pattern has the patterns of access rules: names in which * stands for any text. There is no sign for one
// letter: without it, whether one pattern has all that another one has can be told exactly.
package pattern

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"sighub/internal/safetext"
)

// star stands for any text, also for none. No letter is negative.
const star rune = -1

// A Pattern matches names. The zero Pattern matches only the empty name, which nothing has.
type Pattern struct {
	text  string
	parts []rune // letters and stars, never two stars in a row
	head  string // the letters at the beginning, up to the first star
	exact bool   // it has no star
}

// maxText is the length of the longest pattern, in bytes: a name in which each byte is escaped.
const maxText = 2 * safetext.MaxName

// Parse reads a pattern. The letter after a \ stands for itself: \* is a star, \? a question mark, \\ a backslash.
func Parse(text string) (Pattern, error) {
	p := Pattern{text: text, exact: true}
	switch {
	case text == "":
		return Pattern{}, errors.New("it is empty: write a name, or * for any")
	case len(text) > maxText:
		return Pattern{}, fmt.Errorf("it has %d bytes, more than %d: shorten it", len(text), maxText)
	}
	if err := safetext.Check(text); err != nil {
		return Pattern{}, err
	}
	var head strings.Builder
	for rest := text; rest != ""; {
		r, size := utf8.DecodeRuneInString(rest)
		rest = rest[size:]
		switch r {
		case '*':
			r, p.exact = star, false
		case '?':
			return Pattern{}, errors.New(`? has no meaning here: write * for any text, or \? for a question mark`)
		case '\\':
			if rest == "" || strings.IndexByte(`*?\`, rest[0]) < 0 {
				return Pattern{}, errors.New(`a \ stands before *, ? or \ only: write \\ for a backslash`)
			}
			r, rest = rune(rest[0]), rest[1:]
		}
		if p.exact {
			head.WriteRune(r)
		}
		if n := len(p.parts); r != star || n == 0 || p.parts[n-1] != star {
			p.parts = append(p.parts, r)
		}
	}
	p.head = head.String()
	if p.exact {
		if err := safetext.CheckName(p.head); err != nil {
			return Pattern{}, err
		}
	}
	return p, nil
}

// String returns the pattern as it was written.
func (p Pattern) String() string { return p.text }

// Canonical returns a text that is the same for patterns that match the same names, and for no others.
func (p Pattern) Canonical() string {
	var b strings.Builder
	for _, r := range p.parts {
		switch r {
		case star:
			r = '*'
		case '*', '?', '\\':
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Exact returns the only name that the pattern matches, and whether there is only one.
func (p Pattern) Exact() (name string, ok bool) { return p.head, p.exact }

// Any reports whether the pattern matches all names.
func (p Pattern) Any() bool { return len(p.parts) == 1 && p.parts[0] == star }

// A Name is a name that patterns are held against.
type Name struct {
	text  string
	runes []rune
}

// Buffer is room for the letters of a usual name.
type Buffer [safetext.MaxName]rune

// In prepares a name; it allocates only if the name does not fit into the buffer.
func In(b *Buffer, name string) Name {
	runes := b[:0]
	for _, r := range name {
		runes = append(runes, r)
	}
	return Name{name, runes}
}

// Match reports whether the pattern matches a name.
func (p *Pattern) Match(n *Name) bool {
	if p.exact {
		return n.text == p.head
	}
	return strings.HasPrefix(n.text, p.head) && matches(p.parts, n.runes)
}

// Covers reports whether the pattern matches all that another one matches. There are more letters than any pattern has: so it does if,
// and only if, it matches the other one's text with a letter of no pattern in place of each star.
func (p *Pattern) Covers(q *Pattern) bool {
	return strings.HasPrefix(q.head, p.head) && matches(p.parts, q.parts)
}

// matches reports whether parts match a text, which may itself have stars: those are matched by a star only.
// It takes time in proportion to the product of both lengths at most, and no memory.
func matches(parts, text []rune) bool {
	last, from := -1, 0 // the last star seen, and where the text that it stands for ends
	i := 0
	for j := 0; j < len(text); {
		switch {
		case i < len(parts) && parts[i] == star:
			last, from = i, j
			i++
		case i < len(parts) && parts[i] == text[j]:
			i++
			j++
		case last >= 0:
			from++
			i, j = last+1, from
		default:
			return false
		}
	}
	return i == len(parts) || i == len(parts)-1 && parts[i] == star
}
