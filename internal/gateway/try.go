package gateway

import (
	"cmp"
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

	open    func() (port.Port, error) // for tests
	watcher lines.Watcher
	parsed  bool     // there is a format
	sample  []string // of text whose format is not known
	baud    int
	lines   int
}

// A sample of fewLines may show what text looks like, and else one of manyLines.
const (
	fewLines  = 6
	manyLines = 48
)

// Run tries until it has read Count lines, the port is lost or ctx is done.
func (t *Trial) Run(ctx context.Context) error {
	var end formats.End
	if l := t.Port.Lines; l != nil {
		if err := t.use(l.Options); err != nil {
			return err
		}
		end = l.End
	}
	p, err := t.openPort(ctx, t.Port.Baud)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	t.watcher.Tell = func(h lines.Heard) {
		if t.Count == 0 || t.lines < t.Count {
			t.heard(h)
		}
		if t.Count > 0 && t.lines >= t.Count {
			stop()
		}
	}
	return t.watcher.Watch(ctx, p, t.Port.Baud, end)
}

func (t *Trial) use(o formats.Options) error {
	t.parsed = true
	return t.watcher.Use(o)
}

func (t *Trial) openPort(ctx context.Context, baud int) (port.Port, error) {
	if t.open != nil {
		return t.open()
	}
	opener, err := openerOf(&t.Port)
	if err != nil {
		return nil, err
	}
	s := t.Port.Settings
	s.Baud, s.DTROff, s.RTSOff, s.Fresh = baud, t.Port.DTROff, t.Port.RTSOff, true
	if s.Baud == 0 {
		s.Baud = 9600 // the first one that is tried
	}
	var p port.Port
	switch o := opener.(type) {
	case port.ContextOpener:
		p, err = o.OpenContext(ctx, t.Port.Port, s)
	case port.SettingsOpener:
		p, err = o.OpenWith(t.Port.Port, s)
	default:
		return nil, errors.New("this opener does not know all settings: leave opener out")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, port.Remedy(err))
	}
	return p, nil
}

// heard tells of a line. If no format is given, the one that lines look like is found, and used from then on.
func (t *Trial) heard(h lines.Heard) {
	if h.Baud > 0 {
		t.baud, t.sample = h.Baud, nil
		t.Report("trying " + strconv.Itoa(h.Baud) + " baud")
		return
	}
	t.lines++
	t.Report(tell(h, t.parsed))
	if !t.parsed && !h.Half {
		t.look(h.Line)
	}
}

func (t *Trial) look(line string) {
	if t.sample = append(t.sample, line); len(t.sample)%fewLines != 0 {
		return
	}
	look, ok := formats.Looks(t.sample)
	if !ok && len(t.sample) < manyLines {
		return
	}
	t.sample = nil
	if !ok {
		t.Report("this looks like none of " + strings.Join(formats.Names(), ", ") + ": try a format with --format")
		return
	}
	t.Report("looks like " + described(look) + "; to serve it, write under serial:")
	t.Report("  - " + Entry(t.Port.Port, cmp.Or(t.Port.Baud, t.baud), look))
	o := formats.Options{Format: look.Format, Comma: look.Comma, Unchecked: look.Unchecked, Columns: columns(look)}
	if err := t.use(o); err != nil {
		t.Report(err.Error()) // what it looks like can be used
	}
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
