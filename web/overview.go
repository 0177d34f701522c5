package web

import (
	"crypto/sha256"
	_ "embed" // the style
	"encoding/base64"
	"fmt"
	"html"
	"net/http"
	"strings"
	"time"

	"sighub/internal/safetext"
)

//go:embed overview.css
var overviewCSS string

// overviewText is the overview for programs; its arguments are the version, and where the hub is.
const overviewText = `This is a sighub %[1]s, a hub for sensors. It is up.

  the senders              curl http://%[2]s/api/v1/senders
  the last events          curl http://%[2]s/api/v1/last
  events as they happen    curl -N http://%[2]s/api/v1/events
  all that can be asked    curl http://%[2]s/api/v1/openapi.json
  numbers for Prometheus   curl http://%[2]s/metrics

On the command line: sighub senders --hub %[2]s
`

// The parts of the page. It is put together by hand: a package of templates would keep code in the program that is used nowhere else.
const (
	overviewHead = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>sighub</title>
<style>%s</style>
</head>
<body>
<h1>sighub</h1>
<p>This is a hub for sensors. It is up, in version %s.</p>
`
	overviewTable = `<table>
<thead><tr><th>sender</th><th>event</th><th>last</th><th>when</th></tr></thead>
<tbody>
`
	overviewEnd = `<h2>For programs</h2>
<ul>
<li><a href="api/v1/senders">api/v1/senders</a>, <a href="api/v1/last">api/v1/last</a>, <a href="api/v1/ports">api/v1/ports</a>,
<a href="api/v1/clients">api/v1/clients</a></li>
<li><a href="api/v1/openapi.json">api/v1/openapi.json</a>: all that can be asked</li>
<li><a href="metrics">metrics</a>: numbers for Prometheus</li>
</ul>
<pre>curl -N http://%[1]s/api/v1/events
sighub listen '*' '*' --hub %[1]s</pre>
</body>
</html>
`
)

// An overview is a short page of what there is, without a script.
type overview struct {
	site   *Site
	policy string // for the browser
}

func newOverview(s *Site) *overview {
	hash := sha256.Sum256([]byte(overviewCSS))
	return &overview{site: s, policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}
}

// overviewSenders is how many senders the overview has, and longestData how much of an event, in bytes.
const (
	overviewSenders = 200
	longestData     = 80
)

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
	version, host := o.site.options.Version, safetext.Short(r.Host, 255)
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = fmt.Fprintf(w, overviewText, version, host) // whoever does not read it does not want it
		return
	}
	list, more, err := o.site.page(r, "", overviewSenders)
	if err != nil {
		problemOf(err).write(w)
		return
	}
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, overviewHead, overviewCSS, html.EscapeString(version))
	lasts, _, err := o.site.lastEvents(r, "", "", nil, 0)
	if rows := rows(list, lasts, time.Now()); rows == "" {
		b.WriteString("<p>No sender is connected yet.</p>\n")
	} else {
		b.WriteString(overviewTable + rows + "</tbody>\n</table>\n")
	}
	if more {
		b.WriteString("<p>There are more: see <a href=\"api/v1/senders\">api/v1/senders</a>.</p>\n")
	}
	if err != nil {
		b.WriteString("<p>Last events are not known: " + html.EscapeString(problemOf(err).Detail) + ".</p>\n")
	}
	_, _ = fmt.Fprintf(&b, overviewEnd, html.EscapeString(host))
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", o.policy)
	_, _ = w.Write([]byte(b.String())) // whoever does not read it does not want it
}

// rows returns the rows of the table: the senders that the hub lists, and then those whose events are kept.
func rows(senders []sender, lasts []*event, now time.Time) string {
	of := make(map[string][]*event, len(lasts))
	var order []string
	for _, e := range lasts {
		if strings.HasPrefix(e.Event, "#") {
			continue
		}
		if of[e.Sender] == nil {
			order = append(order, e.Sender)
		}
		of[e.Sender] = append(of[e.Sender], e)
	}
	var b strings.Builder
	listed := make(map[string]bool, len(senders))
	for _, s := range senders {
		listed[*s.Sender] = true
		units := make(map[string]string, len(s.Events))
		for _, e := range s.Events {
			units[*e.Event] = e.Unit
		}
		addRows(&b, *s.Sender, s.Connected, of[*s.Sender], units, now)
	}
	for _, name := range order {
		if !listed[name] {
			addRows(&b, name, false, of[name], nil, now)
		}
	}
	return b.String()
}

// addRows adds the rows of a sender.
func addRows(b *strings.Builder, name string, connected bool, lasts []*event, units map[string]string, now time.Time) {
	shown, begin := html.EscapeString(safetext.Line(name)), "<tr>"
	if !connected {
		shown, begin = shown+" (not connected)", `<tr class="gone">`
	}
	if len(lasts) == 0 {
		lasts = []*event{{}}
	}
	for _, e := range lasts {
		age := ""
		if at, err := time.Parse(time.RFC3339, e.Time); err == nil {
			age = ago(now.Sub(at))
		}
		_, _ = fmt.Fprintf(b, `%s<td>%s</td><td>%s</td><td>%s %s</td><td><time datetime="%s">%s</time></td></tr>`+"\n", begin, shown,
			html.EscapeString(safetext.Line(e.Event)), html.EscapeString(safetext.Short(string(e.Data), longestData)),
			html.EscapeString(safetext.Line(units[e.Event])), html.EscapeString(e.Time), age)
	}
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
