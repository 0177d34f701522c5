package yamlfile

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"

	"sighub/internal/safetext"
)

// MaxFile is the size of the largest file that is parsed, in bytes.
const MaxFile = 256 << 10

// The parser is a library whose time and memory grow faster than a file of a few odd forms does. So a file is checked before it is
// parsed: its bytes before they become tokens, its tokens before they become nodes.
const (
	maxMarks = 40_000 // characters with a meaning in YAML; a thousand ports with five keys each have 12,000
	maxKeys  = 256    // of one mapping: the parser copies all of them for each; a configuration needs 20
	maxDepth = 32     // mappings and lists in one another; a configuration needs 6
	maxTold  = 50     // mistakes that are told
	maxFound = 200    // mistakes that are looked for

	maxMessageText = 400 // bytes of the text of a mistake
)

// tokens returns the tokens of a file that the parser may have. It returns nil if there are none, or if an error was reported.
func (d *Decoder) tokens(data []byte) token.Tokens {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !d.checkBytes(data) {
		return nil
	}
	tokens := lexer.Tokenize(string(data))
	if len(tokens) == 0 && hasContent(data) {
		d.FailAt(1, 1, "this is not YAML")
	}
	if !d.checkTokens(tokens) {
		return nil
	}
	return tokens
}

// FailAt reports a mistake at a line and a column, from 1; 0: at the file as a whole.
func (d *Decoder) FailAt(line, column int, format string, args ...any) {
	d.errs = append(d.errs, &Error{d.file, line, column, safetext.Short(fmt.Sprintf(format, args...), maxMessageText)})
}

// checkBytes checks how large a file is, in bytes and in characters that have a meaning, and that it is text.
func (d *Decoder) checkBytes(data []byte) bool {
	switch {
	case len(data) > MaxFile:
		line, column := position(data, MaxFile)
		d.FailAt(line, column, "the file goes on beyond its first %d bytes, and a configuration may have no more: check that this is one", MaxFile)
		return false
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		d.FailAt(1, 1, "this is UTF-16: save the file as UTF-8")
		return false
	}
	marks := 0
	for i, b := range data {
		switch {
		case b == '\n':
			marks++
		case b == 0:
			line, column := position(data, i)
			d.FailAt(line, column, "there is a byte 0 here: a configuration is text")
			return false
		case b == '-' || b == ':' || b == '?' || b == '#':
			if i+1 == len(data) || data[i+1] <= ' ' {
				marks++
			}
		case strings.IndexByte("[]{},&*!|>%@`\"'", b) >= 0:
			marks++
		}
		if marks > maxMarks {
			line, column := position(data, i)
			d.FailAt(line, column, "the file has too many entries up to here: write fewer; a pattern such as /dev/ttyUSB* stands for many")
			return false
		}
	}
	if i := invalidUTF8(data); i >= 0 {
		line, column := position(data, i)
		d.FailAt(line, column, "byte 0x%02x is not UTF-8: save the file as UTF-8", data[i])
		return false
	}
	return true
}

// position returns the line and the column of a byte, from 1.
func position(data []byte, i int) (line, column int) {
	return 1 + bytes.Count(data[:i], []byte{'\n'}), i - bytes.LastIndexByte(data[:i], '\n')
}

func invalidUTF8(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// hasContent reports whether a file has anything but comments.
func hasContent(data []byte) bool {
	for line := range bytes.SplitSeq(data, []byte{'\n'}) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return true
		}
	}
	return false
}

// checkTokens checks what may stand in for something else, and how deep and how long mappings are.
func (d *Decoder) checkTokens(tokens token.Tokens) bool {
	var n nesting
	for i, t := range tokens {
		isKey := i+1 < len(tokens) && tokens[i+1].Type == token.MappingValueType
		if problem := n.add(t, isKey); problem != "" {
			line, column := Place(t)
			d.FailAt(line, column, "%s", problem)
			return false
		}
	}
	d.open = n.open
	return true
}

// nesting follows which mappings and lists are open.
type nesting struct {
	open []level
	tags int
}

// A level is a mapping or a list that is open.
type level struct {
	bracket *token.Token // that opened it; nil: indentation did
	column  int          // of a level without a bracket
	keys    int
}

// add adds a token, and says what is wrong with it.
func (n *nesting) add(t *token.Token, isKey bool) string {
	_, column := Place(t)
	switch t.Type {
	case token.AnchorType:
		return "anchors are not supported: remove the & with its name, and write the value at each place; put a text that begins with & in quotes"
	case token.AliasType:
		return "aliases are not supported: write the value here; put a text that begins with * in quotes"
	case token.MergeKeyType:
		return "<< is not supported: write the keys here"
	case token.TagType:
		if n.tags++; n.tags > maxDepth {
			return "there are too many tags up to here: remove the words that begin with !"
		}
	case token.MappingStartType, token.SequenceStartType:
		n.open = append(n.open, level{bracket: t})
	case token.MappingEndType, token.SequenceEndType:
		n.close()
	case token.DocumentHeaderType, token.DocumentEndType:
		n.open = nil
	case token.SequenceEntryType, token.MappingKeyType:
		n.indent(column)
	default:
		if !isKey {
			break
		}
		n.indent(column)
		top := &n.open[len(n.open)-1]
		if top.keys++; top.keys > maxKeys {
			return fmt.Sprintf("this mapping has more than %d keys: no mapping needs as many", maxKeys)
		}
	}
	if len(n.open) > maxDepth {
		return fmt.Sprintf("mappings and lists are more than %d deep in one another here: check the indentation, and close brackets", maxDepth)
	}
	return ""
}

// close closes the innermost bracket.
func (n *nesting) close() {
	for i, l := range slices.Backward(n.open) {
		if l.bracket != nil {
			n.open = n.open[:i]
			return
		}
	}
}

// indent begins, or goes on with, the mapping or list at a column. Within brackets, indentation has no meaning.
func (n *nesting) indent(column int) {
	for len(n.open) > 0 {
		top := n.open[len(n.open)-1]
		if top.bracket != nil || top.column == column {
			return
		}
		if top.column < column {
			break
		}
		n.open = n.open[:len(n.open)-1]
	}
	n.open = append(n.open, level{column: column})
}
