// Package metrics tells the numbers of a hub to Prometheus, in its text format or as OpenMetrics.
//
// All numbers are taken from the parts of the hub when they are asked for, so nothing is counted twice and nothing is kept here. That
// is why no library for metrics is used: there would be nothing for it to hold.
//
// The names follow the conventions of Prometheus: the prefix sighub_, base units (seconds, bytes), _total for what counts up, _info
// for what is told in labels, and times instead of ages, so that what did not happen does not look as if it did. Labels are bounded:
// they name ports, devices on them, bridges, and causes; no client, no sender and no event is one.
package metrics

import (
	"bytes"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// mostSeries bounds how many values of one family are told, so that nobody makes a hub tell without end.
const mostSeries = 500

// A kind is a type of metric.
type kind string

const (
	counter kind = "counter"
	gauge   kind = "gauge"
	info    kind = "info" // a gauge, where there is no such type
)

// A writer writes families of metrics.
type writer struct {
	out  bytes.Buffer
	open bool   // OpenMetrics
	name string // of the family
	kind kind
	left int // values that the family may have
	seen map[string]bool
}

// family begins a family. The name has neither _total nor _info.
func (w *writer) family(name string, k kind, help string) {
	w.name, w.kind, w.left, w.seen = "sighub_"+name, k, mostSeries, make(map[string]bool)
	shown, typed := w.name, k
	if !w.open {
		shown += w.suffix()
		if k == info {
			typed = gauge
		}
	}
	w.out.WriteString("# HELP " + shown + " " + escape(help, false) + "\n# TYPE " + shown + " " + string(typed) + "\n")
}

func (w *writer) suffix() string {
	switch w.kind {
	case counter:
		return "_total"
	case info:
		return "_info"
	}
	return ""
}

// A label is one of a value's.
type label struct{ name, value string }

// value writes a value of the family. A second one with the same labels would make the whole text invalid, and is left out.
func (w *writer) value(v float64, labels ...label) {
	var line strings.Builder
	line.WriteString(w.name + w.suffix())
	for i, l := range labels {
		line.WriteString(map[bool]string{true: "{", false: ","}[i == 0])
		line.WriteString(l.name + `="` + escape(l.value, true) + `"`)
	}
	if len(labels) > 0 {
		line.WriteByte('}')
	}
	if w.left == 0 || w.seen[line.String()] {
		return
	}
	w.left--
	w.seen[line.String()] = true
	w.out.WriteString(line.String() + " " + strconv.FormatFloat(v, 'g', -1, 64) + "\n")
}

// at writes a time, in seconds since 1970, unless it is not known.
func (w *writer) at(t time.Time, labels ...label) {
	if !t.IsZero() {
		w.value(float64(t.UnixMilli())/1000, labels...)
	}
}

// end returns the text.
func (w *writer) end() []byte {
	if w.open {
		w.out.WriteString("# EOF\n")
	}
	return w.out.Bytes()
}

// longest is how much of a label is told, in bytes.
const longest = 128

// escape writes a text as it stands in quotes, or in a line of help.
func escape(text string, quoted bool) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	for len(text) > longest && quoted {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	pairs := []string{`\`, `\\`, "\n", `\n`}
	if quoted {
		pairs = append(pairs, `"`, `\"`)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
