package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/token"
)

// syntax words an error of the parser: what is wrong in that line, and what to write. What the parser says speaks of its own
// insides, and often of a later place.
func (d *decoder) syntax(err error) *Error {
	e := &Error{File: d.file, Message: err.Error()}
	if at, ok := errors.AsType[yaml.Error](err); ok {
		e.Message = at.GetMessage()
		e.Line, e.Column = place(at.GetToken())
	}
	e.Message, _, _ = strings.Cut(e.Message, "\n")
	if m := duplicate.FindStringSubmatch(e.Message); m != nil {
		e.Message = fmt.Sprintf("%s is already on line %s: remove one of them", m[1], m[2])
		return e
	}
	if b := d.unclosed(e); b != nil {
		e.Line, e.Column = place(b)
		e.Message = fmt.Sprintf("this %s is not closed: write %s at its end, or put a text that has it in quotes", b.Value, closing(b))
		return e
	}
	e.Message = cmp.Or(slip(d.line(e.Line)), remedy(e.Message))
	return e
}

var duplicate = regexp.MustCompile(`^mapping key (.*) already defined at \[(\d+):\d+\]$`)

// unclosed returns the bracket that is open at the end of the file, if that is what the error is about.
func (d *decoder) unclosed(e *Error) *token.Token {
	if !strings.Contains(e.Message, "must be specified") && !strings.Contains(e.Message, "could not find") || strings.Contains(e.Message, "quoted") {
		return nil
	}
	if slip(d.line(e.Line)) != "" {
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

// line returns a line of the file.
func (d *decoder) line(n int) string {
	if n < 1 || n > len(d.rows) {
		return ""
	}
	return string(bytes.TrimRight(d.rows[n-1], "\r"))
}

// Slips that are no YAML at all.
var (
	unquotedBraces = regexp.MustCompile(`(\w+):\s+((?:\{\w*\}|[^\s,{}"'#])*\{(?:sender|device)\}(?:\{\w*\}|[^\s,{}"'#])*)`)
	hiddenComment  = regexp.MustCompile(`(\w+):\s+(#[^\s,}\]]*)`)
	reserved       = regexp.MustCompile("(\\w+):\\s+([@`%][^\\s,}\\]]*)")
)

// slip says which of the usual slips a line has; empty: none that is known.
func slip(line string) string {
	if m := unquotedBraces.FindStringSubmatch(line); m != nil {
		return fmt.Sprintf(`%s has braces, which are those of a mapping in YAML: put it in quotes, %s: %q`, m[1], m[1], m[2])
	}
	if m := hiddenComment.FindStringSubmatch(line); m != nil {
		return fmt.Sprintf(`%s is empty, because # begins a comment: put the name in quotes, %s: %q`, m[1], m[1], m[2])
	}
	if m := reserved.FindStringSubmatch(line); m != nil {
		return fmt.Sprintf(`in YAML, a text cannot begin with %c: put it in quotes, %s: %q`, m[2][0], m[1], m[2])
	}
	return ""
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
