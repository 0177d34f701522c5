package yamlfile

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// syntax reports an error of the parser: what is wrong in which line, and what to write. What the parser says speaks of its own
// insides, often of a later place, and of the first mistake only.
func (d *Decoder) syntax(err error) {
	message, line, column := err.Error(), 0, 0
	if at, ok := errors.AsType[yaml.Error](err); ok {
		message = at.GetMessage()
		line, column = Place(at.GetToken())
	}
	message, _, _ = strings.Cut(message, "\n")
	if m := duplicate.FindStringSubmatch(message); m != nil {
		d.FailAt(line, column, "%s is already on line %s: remove one of them", m[1], m[2])
		return
	}
	slips := 0
	for i := range d.rows {
		if at, said := slip(d.line(i+1), i+1 == line); said != "" && slips < maxTold {
			slips++
			d.FailAt(i+1, at, "%s", said)
		}
	}
	if slips > 0 {
		return
	}
	if b := d.unclosed(message); b != nil {
		line, column = Place(b)
		d.FailAt(line, column, "this %s is not closed: write %s at its end, or put a text that has it in quotes", b.Value, closing(b))
		return
	}
	d.FailAt(line, column, "%s", remedy(message))
}

var duplicate = regexp.MustCompile(`^mapping key (.*) already defined at \[(\d+):\d+\]$`)

// unclosed returns the bracket that is open at the end of the file, if that is what the parser speaks of.
func (d *Decoder) unclosed(said string) *token.Token {
	if strings.Contains(said, "quoted") || !strings.Contains(said, "must be specified") && !strings.Contains(said, "could not find") && !strings.Contains(said, "not found") {
		return nil
	}
	for _, l := range d.open {
		if l.bracket != nil {
			return l.bracket
		}
	}
	return nil
}

func closing(bracket *token.Token) string {
	if bracket.Type == token.MappingStartType {
		return "}"
	}
	return "]"
}

// Slip says which of the usual slips the line of a node without a value has; empty: none that is known.
func (d *Decoder) Slip(n ast.Node) string {
	line, _ := Place(n.GetToken())
	_, said := slip(d.line(line), true)
	return said
}

// line returns a line of the file.
func (d *Decoder) line(n int) string {
	if n < 1 || n > len(d.rows) {
		return ""
	}
	return string(bytes.TrimRight(d.rows[n-1], "\r"))
}

// Slips that are no YAML at all: each has the key and the value in groups.
var (
	unquotedBraces = regexp.MustCompile(`(\w+):\s+((?:\{+\w*\}+|[^\s,{}"'#])*\{(?:sender|device)\}(?:\{+\w*\}+|[^\s,{}"'#])*)`)
	hiddenComment  = regexp.MustCompile(`(\w+):\s+(#[^\s,}\]]+)`)
	reserved       = regexp.MustCompile("(\\w+):\\s+([@`%][^\\s,}\\]]*)")
	twoKeys        = regexp.MustCompile(`^\s*(?:- +)*(\w+): +(\w+:(?: .*)?)$`)
	mapping        = regexp.MustCompile(`^\{(?:sender|device)\}$`)
)

// slip says which of the usual slips a line has, and at which column; empty: none that is known. A comment after a key is one only
// where a value is missing.
func slip(line string, valueMissing bool) (column int, said string) {
	if strings.HasPrefix(strings.TrimSpace(line), "#") {
		return 0, ""
	}
	for _, s := range []struct {
		form  *regexp.Regexp
		words string // of the key, the key, and the value
	}{
		{unquotedBraces, "%s has braces, which are those of a mapping in YAML: put it in quotes, %s: %q"},
		{hiddenComment, "%s is empty, because # begins a comment: put the name in quotes, %s: %q"},
		{reserved, "%s begins with a character that YAML keeps for itself: put it in quotes, %s: %q"},
		{twoKeys, "%s is a key, and another follows: write that one in the next line, indented, or in braces, %s: {%s}"},
	} {
		at := s.form.FindStringSubmatchIndex(line)
		if at == nil || s.form == hiddenComment && !valueMissing {
			continue
		}
		key, value := line[at[2]:at[3]], line[at[4]:at[5]]
		if s.form == unquotedBraces && mapping.MatchString(value) {
			continue // it is YAML, and whoever reads the key knows it
		}
		return at[4] + 1, fmt.Sprintf(s.words, key, key, value)
	}
	return 0, ""
}

// remedy words what the parser says.
func remedy(said string) string {
	for _, r := range []struct{ said, words string }{
		{"'\t'", "a tab is here: indent with spaces"},
		{"double-quoted", `the text that begins here has no end: close it with "`},
		{"single-quoted", `the text that begins here has no end: close it with ', and write '' for a ' in it`},
		{"not allowed in this context", "this does not belong to what is before it: check that the lines of one list or mapping begin in the same column, " +
			"and put a text with special characters in quotes"},
		{"non-map value", "there is no colon here: write key: value, with a space after the colon"},
		{"must be specified", "a comma or a closing bracket is missing before this: write it, or put a text with special characters in quotes"},
		{"could not find", "a value is missing here: write one, or put a text with special characters in quotes"},
		{"header option", "after | or > the text begins on the next line: put a text that begins with it in quotes"},
	} {
		if strings.Contains(said, r.said) {
			return r.words
		}
	}
	return "this is not YAML (" + said + "): check the indentation, and put a text with special characters in quotes"
}
