package formats

import (
	"slices"
	"strings"
	"time"
)

// A Look is what some text looks like.
type Look struct {
	Format    string
	Checksum  bool     // lines have a checksum that holds
	Events    []string // the names of the events that were seen, in the order in which they came
	Columns   int      // of CSV without a header line
	Unchecked bool     // telegrams without a checksum
	Comma     bool     // the decimal comma
}

// Looks returns what some lines look like; ok is false if they look like no format. The first line may be half a line, and so may
// the last one.
func Looks(lines []string) (look Look, ok bool) {
	for _, o := range []Options{
		{Format: NMEA}, {Format: DSMR}, {Format: DSMR, Unchecked: true}, {Format: MySensors}, {Format: JSON},
		{Format: Pairs}, {Format: Number}, {Format: CSV}, {Format: CSV, Columns: nil},
	} {
		if look, ok := looksLike(o, lines); ok {
			return look, true
		}
	}
	if look, ok := partOfTelegram(lines); ok {
		return look, true
	}
	return columnsOf(lines)
}

// partOfTelegram recognises a part of a smart meter's telegram: lines with codes and values in brackets.
func partOfTelegram(lines []string) (look Look, ok bool) {
	look.Format = DSMR
	const enough = 3
	objects := 0
	for _, line := range lines {
		if _, object := parseObject(line); object {
			objects++
		}
		look.Unchecked = look.Unchecked || line == "!"
	}
	return look, objects >= enough && objects*2 > len(lines)
}

// looksLike reports whether most lines are of a format, and returns what came of them.
func looksLike(o Options, lines []string) (look Look, ok bool) {
	p, err := New(o)
	if err != nil {
		return look, false
	}
	look = Look{Format: o.Format, Unchecked: o.Unchecked, Comma: o.Comma, Checksum: o.Format == NMEA || o.Format == DSMR && !o.Unchecked}
	good, bad := 0, 0
	for i, line := range lines {
		list, err := p.Parse(nil, line, time.Time{})
		switch {
		case err == nil && (len(list) > 0 || o.Format != CSV):
			good++
		case err != nil && i > 0: // half a line comes first
			bad++
		}
		for _, e := range list {
			name := e.Name
			if e.Of != "" {
				name = e.Of
			}
			if len(look.Events) < maxValues && !slices.Contains(look.Events, name) {
				look.Events = append(look.Events, name)
			}
		}
	}
	if o.Format == DSMR {
		return look, len(look.Events) > 0
	}
	if o.Format == CSV && len(look.Events) < 2 {
		return look, false
	}
	return look, good > 0 && good >= 2*bad && (len(look.Events) > 0 || o.Format == NMEA || o.Format == MySensors)
}

// columnsOf recognises CSV without a header line: as many numbers in each line.
func columnsOf(lines []string) (Look, bool) {
	for _, comma := range []bool{false, true} {
		p := csvParser{numbers: numbers{comma: comma}}
		columns, same, other := 0, 0, 0
		for i, line := range lines {
			line, err := Text(line)
			if err != nil {
				continue
			}
			if p.fields = p.split(p.fields[:0], line); len(p.fields) < 2 {
				continue
			}
			all := true
			for _, field := range p.fields {
				_, err := p.numbers.number(field)
				all = all && (err == nil || err == errNoValue) //nolint:errorlint // it is never wrapped
			}
			switch {
			case all && (columns == 0 || len(p.fields) > columns && same == 1): // the first line may be half a line
				columns, same = len(p.fields), 1
			case all && len(p.fields) == columns:
				same++
			case i > 0:
				other++
			}
		}
		if same > 0 && same >= 2*other {
			return Look{Format: CSV, Columns: columns, Comma: comma}, true
		}
	}
	return Look{}, false
}

// Lines returns the lines of a text, without empty ones.
func Lines(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' || r == 0 })
}
