package formats

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sighub/internal/safetext"
)

// csvParser takes a line for columns, which commas, semicolons or tabs separate.
type csvParser struct {
	columns []string
	fixed   bool // the columns are given
	numbers numbers
	fields  []string
}

// noColumn is the name of a column that is left out.
const noColumn = "-"

func newCSV(columns []string, n numbers) (Parser, error) {
	seen := make(map[string]bool)
	for _, name := range columns {
		if name == noColumn {
			continue
		}
		if err := CheckName(name); err != nil {
			return nil, fmt.Errorf("the column %s: %w", safetext.Short(name, maxName), err)
		}
		if seen[name] {
			return nil, fmt.Errorf("the column %s is given twice: give each its own name, or - to leave it out", name)
		}
		seen[name] = true
	}
	if len(columns) > maxValues {
		return nil, fmt.Errorf("there are %d columns: write %d at most", len(columns), maxValues)
	}
	return &csvParser{columns: columns, fixed: len(columns) > 0, numbers: n}, nil
}

// Parse implements [Parser].
func (p *csvParser) Parse(list []Event, line string, _ time.Time) ([]Event, error) {
	line, err := Text(line)
	if err != nil {
		return list, err
	}
	if p.fields = p.split(p.fields[:0], line); len(p.fields) > maxValues {
		return list, errMany
	}
	if p.header() {
		return list, nil
	}
	switch {
	case len(p.columns) == 0:
		return list, errHeader
	case len(p.fields) != len(p.columns):
		return list, fmt.Errorf("%w: it has %d of %d columns", ErrForm, len(p.fields), len(p.columns))
	}
	from := len(list)
	var failed error // a value that the device does not have harms no other
	for i, name := range p.columns {
		if name == noColumn || p.fields[i] == "" {
			continue
		}
		v, err := p.numbers.value(p.fields[i])
		switch {
		case err == errNoValue: //nolint:errorlint // it is never wrapped
			failed = &ValueError{Event: name, Err: err}
		case err != nil:
			return list[:from], &ValueError{Event: name, Err: err}
		default:
			list = append(list, Event{Name: name, Value: v})
		}
	}
	return list, failed
}

// Family implements [Vocabulary].
func (p *csvParser) Family(Event) (list []Event) {
	for _, name := range p.columns {
		if name != noColumn {
			list = append(list, Event{Name: name})
		}
	}
	return list
}

// header reports whether the fields are a header, and takes their names for the columns, unless these are given.
func (p *csvParser) header() bool {
	if p.fixed {
		return slices.Equal(p.fields, p.columns)
	}
	for i, name := range p.fields {
		if pairName(name) != nil || slices.Contains(p.fields[:i], name) {
			return false
		}
		if _, _, err := p.numbers.measured(name); err == nil || err == errNoValue { //nolint:errorlint // it is never wrapped
			return false
		}
	}
	if len(p.columns) > 0 && len(p.fields) != len(p.columns) { // words of another kind
		return false
	}
	for i := range p.columns {
		if p.columns[i] != p.fields[i] {
			return false
		}
	}
	if len(p.columns) == 0 && len(p.fields) < 2 {
		return false // a single word may be anything
	}
	p.columns = slices.Clone(p.fields)
	return true
}

// split splits a line at whichever of tab, semicolon and comma comes first in this order.
func (p *csvParser) split(fields []string, line string) []string {
	separator := byte(',')
	for _, c := range []byte("\t;") {
		if strings.IndexByte(line, c) >= 0 {
			separator = c
			break
		}
	}
	if separator == ',' && p.numbers.comma {
		separator = ' '
	}
	for {
		var field string
		if q := strings.TrimLeft(line, " "); q != "" && q[0] == '"' && strings.IndexByte(q[1:], '"') >= 0 {
			end := strings.IndexByte(q[1:], '"')
			field = q[1 : 1+end]
			line = q[end+2:]
			rest := strings.IndexByte(line, separator)
			if rest < 0 {
				return append(fields, field)
			}
			line = line[rest+1:]
		} else {
			at := strings.IndexByte(line, separator)
			if at < 0 {
				return append(fields, strings.TrimSpace(line))
			}
			field, line = strings.TrimSpace(line[:at]), line[at+1:]
		}
		fields = append(fields, field)
	}
}
