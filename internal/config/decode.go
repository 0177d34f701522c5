package config

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

// Parse reads a configuration; errors name it file. The error joins an [*Error] for each mistake, in the order of the lines.
func Parse(file string, data []byte) (*Config, error) {
	d := newDecoder(file)
	c := defaults()
	if root := d.parse(data); root != nil {
		d.config(root, c)
		d.checkWatched(&c.Sensing)
	}
	if err := d.faults(); err != nil {
		return nil, err
	}
	c.complete()
	c.file, c.lines, c.warnings = file, d.seen, d.warnings
	return c, nil
}

// A decoder walks the YAML nodes, which know their lines, and collects every mistake.
type decoder struct {
	file     string
	errs     []*Error
	seen     map[string]int // by name: the line of what may appear only once
	watched  []watch
	warnings []*Error

	open []level  // what is still open at the end of the file
	rows [][]byte // the lines of the file
}

func newDecoder(file string) *decoder { return &decoder{file: file, seen: make(map[string]int)} }

// faults joins the mistakes found, in the order of the lines.
func (d *decoder) faults() error {
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

// parse returns the document's root, or nil if it is empty or not YAML.
func (d *decoder) parse(data []byte) (root ast.Node) {
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
		switch body := unwrap(doc.Body); {
		case body == nil || isNull(body):
		case root != nil:
			d.fail(body, "a second document starts here: put everything into one, and remove the --- in between")
		default:
			root = body
		}
	}
	return root
}

func (d *decoder) fail(n ast.Node, format string, args ...any) {
	line, column := place(n.GetToken())
	d.failAt(line, column, format, args...)
}

// place returns where a token is in the file: 0 if that is not known.
func place(t *token.Token) (line, column int) {
	if t == nil || t.Position == nil {
		return 0, 0
	}
	return t.Position.Line, t.Position.Column
}

// check reports err, if any, at n, and whether there was none.
func (d *decoder) check(n ast.Node, err error) bool {
	if err != nil {
		d.fail(n, "%s", plain.Text(err.Error()))
	}
	return err == nil
}

// A field is a key that a mapping may have, and how to decode its value.
type field struct {
	key    string
	decode func(n ast.Node)
}

// mapping decodes a mapping with these keys; errors call it what.
func (d *decoder) mapping(n ast.Node, what string, fields ...field) {
	m, ok := n.(ast.MapNode)
	if !ok {
		d.fail(n, "%s is %s: write a mapping with %s", what, describe(n), orList(keysOf(fields)))
		return
	}
	lines := make(map[string]int)
	var before ast.MapKeyNode
	var number ast.Node // the value of before
	for it := m.MapRange(); it.Next() && len(d.errs) < maxFound; {
		key := it.Key()
		if rest := key.String(); number != nil && startsWithDigit(rest) && isNull(unwrap(it.Value())) {
			whole := number.GetToken().Value
			d.fail(number, "%s %s,%s has a comma, which begins another entry: write %s.%s", before, whole, rest, whole, rest)
			continue
		}
		before, number = key, numberNode(it.Value())
		if d.first(key, lines) {
			d.entry(key, it.Value(), what, fields)
		}
	}
}

// first records the line of a key. It returns false, and reports an error, if the mapping has the key already, perhaps in quotes,
// which the parser does not notice.
func (d *decoder) first(key ast.Node, lines map[string]int) bool {
	name := keyName(key)
	if line, ok := lines[name]; ok {
		d.fail(key, "%q is already on line %d: remove one of them", safetext.Short(name, 64), line)
		return false
	}
	lines[name], _ = place(key.GetToken())
	return true
}

func keyName(key ast.Node) string { return strings.Trim(key.String(), `"'`) }

func startsWithDigit(text string) bool { return text != "" && '0' <= text[0] && text[0] <= '9' }

func numberNode(n ast.Node) ast.Node {
	switch n := unwrap(n).(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		return n
	}
	return nil
}

func (d *decoder) entry(key, value ast.Node, what string, fields []field) {
	name := keyName(key)
	for _, f := range fields {
		if f.key == name {
			d.value(value, f.decode)
			return
		}
	}
	if before, after, ok := strings.Cut(name, ":"); ok && slices.Contains(keysOf(fields), before) {
		d.fail(key, "%q is one word to YAML: write %s: %s, with a space after the colon", name, before, after)
		return
	}
	d.fail(key, "%q is not a key of %s: %s", safetext.Short(name, 64), what, suggest(name, keysOf(fields)))
}

func keysOf(fields []field) []string {
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	return keys
}

// items calls f for each entry of a list.
func (d *decoder) items(n ast.Node, what string, f func(n ast.Node)) {
	if isNull(n) { // all entries commented out
		return
	}
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		d.fail(n, "%s is %s: write a list, each entry on a line that starts with -", what, describe(n))
		return
	}
	for _, item := range list.Values {
		if len(d.errs) < maxFound {
			d.value(item, f)
		}
	}
}

// value passes a value to f. An alias, whose value is elsewhere, is an error.
func (d *decoder) value(n ast.Node, f func(n ast.Node)) {
	switch n := unwrap(n).(type) {
	case nil:
	case *ast.AliasNode:
		d.fail(n, "aliases are not supported: write the value here")
	default:
		f(n)
	}
}

// unwrap removes anchors and tags from a node: they have no meaning here.
func unwrap(n ast.Node) ast.Node {
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

func isNull(n ast.Node) bool {
	switch n.(type) {
	case *ast.NullNode, *ast.CommentGroupNode, *ast.CommentNode:
		return true
	}
	return false
}

func describe(n ast.Node) string {
	switch n.(type) {
	case ast.MapNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	}
	if isNull(n) {
		return "empty"
	}
	return "a single value"
}

// suggest returns what to write instead of an unknown key.
func suggest(name string, keys []string) string {
	for _, k := range keys {
		if distance(name, k) <= 2 || strings.HasPrefix(name, k) {
			return fmt.Sprintf("write %s", k)
		}
	}
	return "it may have " + strings.Join(keys, ", ")
}

// distance returns how many letters must be changed, added or removed to turn a into b (Levenshtein).
func distance(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
