package yamlfile

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"sighub/internal/plain"
	"sighub/internal/safetext"
)

// An Error is one mistake in a file.
type Error struct {
	File         string
	Line, Column int // from 1; 0: the file as a whole
	Message      string
}

func (e *Error) Error() string { return e.Place() + ": " + e.Message }

// Place returns the file, the line and the column.
func (e *Error) Place() string {
	if e.Line == 0 {
		return e.File
	}
	return fmt.Sprintf("%s:%d:%d", e.File, e.Line, e.Column)
}

// A Decoder walks the YAML nodes of one file, which know their lines, and collects every mistake.
type Decoder struct {
	file     string
	errs     []*Error
	warnings []*Error

	open []level  // what is still open at the end of the file
	rows [][]byte // the lines of the file
}

// New returns a Decoder whose errors name file.
func New(file string) *Decoder { return &Decoder{file: file} }

// Found returns how many mistakes were found.
func (d *Decoder) Found() int { return len(d.errs) }

// Faults joins the mistakes found, in the order of the lines.
func (d *Decoder) Faults() error {
	slices.SortStableFunc(d.errs, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	var joined []error
	for _, e := range d.errs[:min(len(d.errs), maxTold)] {
		joined = append(joined, e)
	}
	if len(d.errs) > maxTold {
		joined = append(joined, &Error{File: d.file, Message: "there are more mistakes: mend these first"})
	}
	return errors.Join(joined...)
}

// Parse returns the document's root, or nil if it is empty or not YAML.
func (d *Decoder) Parse(data []byte) (root ast.Node) {
	// The parser is a library: a file that makes it panic is reported like any other bad file.
	defer func() {
		if p := recover(); p != nil {
			root = nil
			d.errs = append(d.errs, &Error{File: d.file, Message: "this is not YAML"})
		}
	}()
	d.rows = bytes.Split(data, []byte{'\n'})
	tokens := d.tokens(data)
	if tokens == nil {
		return nil
	}
	f, err := parser.Parse(tokens, 0)
	if err != nil {
		d.syntax(err)
		return nil
	}
	for _, doc := range f.Docs {
		switch body := Unwrap(doc.Body); {
		case body == nil || IsNull(body):
		case root != nil:
			d.Fail(body, "a second document starts here: put everything into one, and remove the --- in between")
		default:
			root = body
		}
	}
	return root
}

// Fail reports a mistake at a node.
func (d *Decoder) Fail(n ast.Node, format string, args ...any) {
	line, column := Place(n.GetToken())
	d.FailAt(line, column, format, args...)
}

// Place returns where a token is in the file: 0 if that is not known.
func Place(t *token.Token) (line, column int) {
	if t == nil || t.Position == nil {
		return 0, 0
	}
	return t.Position.Line, t.Position.Column
}

// Warn notes what is no mistake, and is likely to be none that the user wants.
func (d *Decoder) Warn(n ast.Node, format string, args ...any) {
	line, column := Place(n.GetToken())
	d.warnings = append(d.warnings, &Error{d.file, line, column, fmt.Sprintf(format, args...)})
}

// Warnings returns what the file says that is no mistake, and that is not likely to work.
func (d *Decoder) Warnings() []*Error { return d.warnings }

// Check reports err, if any, at n, and whether there was none.
func (d *Decoder) Check(n ast.Node, err error) bool {
	if err != nil {
		d.Fail(n, "%s", plain.Text(err.Error()))
	}
	return err == nil
}

// A Field is a key that a mapping may have, and how to decode its value.
type Field struct {
	Key    string
	Decode func(n ast.Node)
}

// Key returns a Field.
func Key(key string, decode func(n ast.Node)) Field { return Field{key, decode} }

// Mapping decodes a mapping with these keys; errors call it what.
func (d *Decoder) Mapping(n ast.Node, what string, fields ...Field) {
	m, ok := n.(ast.MapNode)
	if !ok {
		d.Fail(n, "%s is %s: write a mapping with %s", what, Describe(n), OrList(keysOf(fields)))
		return
	}
	lines := make(map[string]int)
	var before ast.MapKeyNode
	var number ast.Node // the value of before
	for it := m.MapRange(); it.Next() && len(d.errs) < maxFound; {
		key := it.Key()
		if rest := key.String(); number != nil && startsWithDigit(rest) && IsNull(Unwrap(it.Value())) {
			whole := number.GetToken().Value
			d.Fail(number, "%s %s,%s has a comma, which begins another entry: write %s.%s", before, whole, rest, whole, rest)
			continue
		}
		before, number = key, NumberNode(it.Value())
		if d.First(key, lines) {
			d.entry(key, it.Value(), what, fields)
		}
	}
}

// First records the line of a key. It returns false, and reports an error, if the mapping has the key already, perhaps in quotes,
// which the parser does not notice.
func (d *Decoder) First(key ast.Node, lines map[string]int) bool {
	name := KeyName(key)
	if line, ok := lines[name]; ok {
		d.Fail(key, "%q is already on line %d: remove one of them", safetext.Short(name, 64), line)
		return false
	}
	lines[name], _ = Place(key.GetToken())
	return true
}

// KeyName returns the text of a key, without quotes.
func KeyName(key ast.Node) string { return strings.Trim(key.String(), `"'`) }

func startsWithDigit(text string) bool { return text != "" && '0' <= text[0] && text[0] <= '9' }

// NumberNode returns a node that is a number, or nil.
func NumberNode(n ast.Node) ast.Node {
	switch n := Unwrap(n).(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		return n
	}
	return nil
}

func (d *Decoder) entry(key, value ast.Node, what string, fields []Field) {
	name := KeyName(key)
	for _, f := range fields {
		if f.Key == name {
			d.Value(value, f.Decode)
			return
		}
	}
	if before, after, ok := strings.Cut(name, ":"); ok && slices.Contains(keysOf(fields), before) {
		d.Fail(key, "%q is one word to YAML: write %s: %s, with a space after the colon", name, before, after)
		return
	}
	d.Fail(key, "%q is not a key of %s: %s", safetext.Short(name, 64), what, suggest(name, keysOf(fields)))
}

func keysOf(fields []Field) []string {
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.Key
	}
	return keys
}

// Items calls f for each entry of a list.
func (d *Decoder) Items(n ast.Node, what string, f func(n ast.Node)) {
	if IsNull(n) { // all entries commented out
		return
	}
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		d.Fail(n, "%s is %s: write a list, each entry on a line that starts with -", what, Describe(n))
		return
	}
	for _, item := range list.Values {
		if len(d.errs) < maxFound {
			d.Value(item, f)
		}
	}
}

// Value passes a value to f. An alias, whose value is elsewhere, is an error.
func (d *Decoder) Value(n ast.Node, f func(n ast.Node)) {
	switch n := Unwrap(n).(type) {
	case nil:
	case *ast.AliasNode:
		d.Fail(n, "aliases are not supported: write the value here")
	default:
		f(n)
	}
}

// Unwrap removes anchors and tags from a node: they have no meaning here.
func Unwrap(n ast.Node) ast.Node {
	for {
		switch v := n.(type) {
		case *ast.AnchorNode:
			n = v.Value
		case *ast.TagNode:
			n = v.Value
		default:
			return n
		}
	}
}

// IsNull reports whether a node has no value.
func IsNull(n ast.Node) bool {
	switch n.(type) {
	case *ast.NullNode, *ast.CommentGroupNode, *ast.CommentNode:
		return true
	}
	return false
}

// Describe returns in words what kind of value a node has.
func Describe(n ast.Node) string {
	switch n.(type) {
	case ast.MapNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	}
	if IsNull(n) {
		return "empty"
	}
	return "a single value"
}

// suggest returns what to write instead of an unknown key.
func suggest(name string, keys []string) string {
	for _, k := range keys {
		if plain.Distance(name, k) <= 2 || strings.HasPrefix(name, k) {
			return fmt.Sprintf("write %s", k)
		}
	}
	return "it may have " + strings.Join(keys, ", ")
}

// OrList joins alternatives: "a, b or c".
func OrList(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " or " + list[len(list)-1]
}

// Text reads a text. If it is wrong, it reports an error and returns false.
func (d *Decoder) Text(n ast.Node, what string) (string, bool) {
	switch v := n.(type) {
	case *ast.StringNode:
		if v.Value == "" {
			d.Fail(n, "%s is empty: write a text, or remove the line", what)
		}
		return v.Value, v.Value != ""
	case *ast.LiteralNode:
		return strings.TrimSpace(v.Value.Value), true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		d.Fail(n, `%s must be a text: put it in quotes, "%s"`, what, n.GetToken().Value)
	case *ast.MappingNode, *ast.MappingValueNode:
		d.Fail(n, "%s is a mapping: write a text", what)
	default:
		if said := d.Slip(n); said != "" && IsNull(n) {
			d.Fail(n, "%s", said)
			break
		}
		d.Fail(n, "%s is %s: write a text, or remove the line", what, Describe(n))
	}
	return "", false
}
