package gateway

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"sighub/carrier/serial/port"
	"sighub/internal/config"
	"sighub/internal/safetext"
	"sighub/sensors/lines"
	"sighub/sensors/lines/formats"
)

// A Trial reads lines from a port that no hub serves, and tells what a format makes of them. It writes nothing.
type Trial struct {
	Port   config.Port       // with what is known; its Lines may be nil
	Count  int               // lines after which it ends; 0: it goes on
	Report func(line string) // is called with what people are to read
	open   func() (port.Port, error)
	sample []string
	baud   int
	lines  int
}

// A sample of fewLines may show what text looks like, and else one of manyLines.
const (
	fewLines  = 6
	manyLines = 48
)

// Run tries until it has read Count lines, the port is lost or ctx is done.
func (t *Trial) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	o := lines.Options{Baud: t.Port.Baud}
	if t.Port.Lines != nil {
		o = *t.Port.Lines
		o.Baud = t.Port.Baud
	}
	for {
		p, err := t.openPort(o.Baud)
		if err != nil {
			return err
		}
		looked, again := context.WithCancel(ctx)
		err = lines.Watch(looked, p, o, func(h lines.Heard) {
			t.heard(h, &o, again)
			if t.Count > 0 && t.lines >= t.Count {
				stop()
			}
		})
		again()
		if ctx.Err() != nil || err != nil {
			return err
		}
		o.Baud = t.baud // it was found
	}
}

func (t *Trial) openPort(baud int) (port.Port, error) {
	if t.open != nil {
		return t.open()
	}
	opener, err := port.NewOpener(t.Port.Opener)
	if err != nil {
		return nil, err
	}
	s := t.Port.Settings
	s.Baud, s.DTROff, s.RTSOff, s.Fresh = baud, t.Port.DTROff, t.Port.RTSOff, true
	if s.Baud == 0 {
		s.Baud = 9600 // the first one that is tried
	}
	full, ok := opener.(port.SettingsOpener)
	if !ok {
		return nil, errors.New("this opener does not know all settings: leave opener out")
	}
	p, err := full.OpenWith(t.Port.Port, s)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, port.Remedy(err))
	}
	return p, nil
}

// heard tells of a line. If no format is given, the one that lines look like is found, and again is called to read on with it.
func (t *Trial) heard(h lines.Heard, o *lines.Options, again func()) {
	if h.Baud > 0 {
		t.baud = h.Baud
		t.sample = nil
		t.Report("trying " + strconv.Itoa(h.Baud) + " baud")
		return
	}
	t.lines++
	t.Report(tell(h, o.Format != ""))
	if o.Format != "" || h.Half {
		return
	}
	if t.sample = append(t.sample, h.Line); len(t.sample)%fewLines != 0 {
		return
	}
	look, ok := formats.Looks(t.sample)
	if !ok && len(t.sample) < manyLines {
		return
	}
	if !ok {
		t.Report("this looks like none of " + strings.Join(formats.Names(), ", ") + ": try a format with --format")
		t.sample = t.sample[:0]
		return
	}
	baud := t.Port.Baud
	if baud == 0 {
		baud = t.baud
	}
	t.Report("looks like " + described(look) + "; to serve it, write under serial:")
	t.Report("  - " + Entry(t.Port.Port, baud, look))
	o.Format, o.Comma, o.Unchecked = look.Format, look.Comma, look.Unchecked
	for i := range look.Columns {
		o.Columns = append(o.Columns, fmt.Sprintf("value%d", i+1))
	}
	again()
}

func described(l formats.Look) string {
	const most = 8
	switch {
	case l.Columns > 0:
		return fmt.Sprintf("%s with %d columns", l.Format, l.Columns)
	case len(l.Events) == 0:
		return l.Format
	case len(l.Events) > most:
		return l.Format + ": " + strings.Join(l.Events[:most], ", ") + " and more"
	}
	return l.Format + ": " + strings.Join(l.Events, ", ")
}

// tell tells in one line what has come of a line.
func tell(h lines.Heard, parsed bool) string {
	const most = 120 // bytes of a line
	text := h.At.Format("15:04:05.000") + `  "` + safetext.Short(h.Line, most) + `"`
	var values []string
	for _, e := range h.Events {
		name := e.Name
		if e.Of != "" {
			name = e.Of + " " + name
		}
		values = append(values, strings.TrimSpace(fmt.Sprintf("%s = %v %s", name, shown(e.Value), e.Unit)))
	}
	switch {
	case h.Half && h.Err != nil:
		return text + "  (its beginning may be missing)"
	case h.Err != nil:
		values = append(values, "refused: "+safetext.Short(h.Err.Error(), 2*most))
	case parsed && len(values) == 0 && strings.TrimSpace(h.Line) != "":
		return text + "  (nothing to report)"
	}
	if len(values) > 0 {
		text += "  → " + strings.Join(values, ", ")
	}
	return text
}

func shown(v any) any {
	if p, ok := v.(formats.Position); ok {
		return fmt.Sprintf("%v, %v", p.Lat, p.Lon)
	}
	return v
}
