package web

import (
	"crypto/sha256"
	_ "embed" // the template
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"
	texttemplate "text/template"
	"time"

	"sighub/internal/safetext"
)

//go:embed overview.html
var overviewHTML string

//go:embed overview.css
var overviewCSS string

const overviewText = `This is a sighub {{.Version}}, a hub for sensors. It is up.

  GET api/v1/senders            the senders            curl http://{{.Host}}/api/v1/senders
  GET api/v1/last               the last events        curl http://{{.Host}}/api/v1/last
  GET api/v1/events             events as they happen  curl -N http://{{.Host}}/api/v1/events
  GET api/v1/openapi.json       everything that can be asked
  GET metrics                   numbers for Prometheus

On the command line: sighub senders --hub {{.Host}}
`

// An overview is a short page of what there is, without a script.
type overview struct {
	site   *Site
	html   *template.Template
	text   *texttemplate.Template
	policy string // for the browser
}

func newOverview(s *Site) *overview {
	hash := sha256.Sum256([]byte(overviewCSS))
	return &overview{
		site: s,
		html: template.Must(template.New("overview").Parse(overviewHTML)),
		text: texttemplate.Must(texttemplate.New("overview").Parse(overviewText)),
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) +
			"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	}
}

// A line is one of the overview.
type line struct {
	Sender, State, Events string
	Lasts                 []last
}

type last struct{ Event, Data, Unit, Time, Age string }

// longestData is how much of an event is shown, in bytes.
const longestData = 80

// ServeHTTP implements [http.Handler].
func (o *overview) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path != "/":
		problem(http.StatusNotFound, "path", "GET api/v1/openapi.json lists what there is", "there is nothing at this path").write(w)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		problem(http.StatusMethodNotAllowed, "method", "use GET", "%s is not done there", r.Method).write(w)
		return
	}
	view := struct {
		Version, Host, Missing string
		Lines                  []line
		More                   bool
		Style                  template.CSS
	}{Version: o.site.options.Version, Host: safetext.Short(r.Host, 255), Style: template.CSS(overviewCSS)} //nolint:gosec // it is ours
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_ = o.text.Execute(w, view) // whoever does not read it does not want it
		return
	}
	list, more, err := o.site.page(r, "", overviewSenders)
	if err != nil {
		problemOf(err).write(w)
		return
	}
	view.More = more && len(list) == overviewSenders
	lasts, _, err := o.site.lastEvents(r, "", "", nil, 0)
	if err != nil {
		view.Missing = problemOf(err).Detail
	}
	view.Lines = lines(list, lasts, time.Now())
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", o.policy)
	_ = o.html.Execute(w, view) // whoever does not read it does not want it
}

// overviewSenders is how many senders the overview has.
const overviewSenders = 200

// lines puts together what is shown.
func lines(senders []sender, lasts []*event, now time.Time) (list []line) {
	of := make(map[string][]*event, len(lasts))
	for _, e := range lasts {
		if !strings.HasPrefix(e.Event, "#") {
			of[e.Sender] = append(of[e.Sender], e)
		}
	}
	for _, s := range senders {
		l := line{Sender: safetext.Line(*s.Sender), State: "not connected"}
		if s.Connected {
			l.State = "connected"
		}
		units := make(map[string]string, len(s.Events))
		for _, e := range s.Events {
			units[*e.Event] = e.Unit
		}
		for _, e := range of[*s.Sender] {
			show := last{Event: safetext.Line(e.Event), Data: safetext.Short(string(e.Data), longestData), Unit: safetext.Line(units[e.Event]), Time: e.Time}
			if at, err := time.Parse(time.RFC3339, e.Time); err == nil {
				show.Age = ago(now.Sub(at))
			}
			l.Lasts = append(l.Lasts, show)
		}
		list = append(list, l)
	}
	return list
}

// ago returns how long ago something was, for people.
func ago(d time.Duration) string {
	switch {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return d.Truncate(time.Second).String() + " ago"
	case d < time.Hour:
		return strings.TrimSuffix(d.Truncate(time.Minute).String(), "0s") + " ago"
	case d < 48*time.Hour:
		return strings.TrimSuffix(d.Truncate(time.Hour).String(), "0m0s") + " ago"
	default:
		return number(uint64(d/(24*time.Hour))) + " days ago"
	}
}
