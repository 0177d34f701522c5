package browsertest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"sighub/hub"
)

// TestHostile: names and values of strangers are text, however they look, and however long they are.
func TestHostile(t *testing.T) {
	s := serve(t)
	const evil = `<img src=x onerror="window.harmed=1"><script>window.harmed=1</script>`
	r := s.client(t, `<b onclick=alert(1)>"mallory"</b>`)
	names := []string{
		evil, `"'><svg onload=window.harmed=1>`, `javascript:window.harmed=1`, `__proto__`, `constructor`, `a/../../b?c#d%20%`, `{{7*7}}${7*7}`,
		strings.Repeat("long", 63), `Ω≈ç√∫˜µ 漢字 🌡️`,
	}
	for _, name := range names {
		x := addSender(t, r, name, hub.SenderOptions{
			Events: []string{evil, "toString", "n", "turn"}, Units: map[string]string{"n": `<i>m</i>`}, Requests: map[string]hub.RequestHandler{},
		})
		x.send(evil, evil)
		x.send("toString", map[string]any{"__proto__": map[string]any{"harmed": 1}, "constructor": evil, "\u202eabc": "\u0000\u001b[31m"})
		x.send("n", 1e308)
		x.send("turn", "\u202eabc\u001b[31m\u0000\u200b")
	}
	big := addSender(t, s.client(t, "mill"), "big", hub.SenderOptions{Events: []string{"text", "list"}})
	p := open(t, s.url(), "")
	p.untilText("big")
	for range 5 {
		big.send("text", strings.Repeat("<script>window.harmed=1</script>", 1<<20/32-1024))
		big.send("list", strings.Split(strings.Repeat("x,", 200_000), ","))
	}
	unharmed := func() {
		t.Helper()
		if eval[bool](p, `"harmed" in window || ({}).harmed !== undefined || document.querySelector("img[src=x],svg[onload],body script,b[onclick],i:not([class]):not([aria-hidden])") !== null`) {
			t.Fatal("a stranger's text has become more than text")
		}
		if text := p.textNow(); strings.ContainsAny(text, "\u202e\x1b\x00") {
			t.Error("a character that controls is shown as it is")
		} else if len(text) > 1<<17 {
			t.Errorf("the page shows %d bytes", len(text))
		}
	}
	p.untilText(`<img src=x onerror="window.harmed=1">`)
	p.untilText(`\u202eabc\u001b[31m\u0000\u200b`)
	unharmed()
	for _, name := range names {
		p.show("device", `name:<b onclick=alert(1)>"mallory"</b>`, name, evil)
		p.until(`document.querySelector("h1 .crumb")`)
		if crumb, want := eval[string](p, `document.querySelector("h1 .crumb").innerText`), name; len(want) < 80 && !strings.Contains(crumb, want) {
			t.Errorf("the page of %q is called %q", want, crumb)
		}
		unharmed()
	}
	p.show("device", "name:mill", "big", "text")
	p.until(`document.querySelector(".entries td")`)
	unharmed()
	for _, view := range []string{"clients", "losses", "thresholds", "ports", "log", "bridges", "send"} {
		p.show(view)
		p.until(`document.querySelector("h1, .empty")`)
		unharmed()
	}
	p.focus(".search input")
	p.keys("onerror")
	p.until(`document.querySelector("#found li")`)
	unharmed()
}

// TestBasePath: the page works below a path of a proxy, whether that takes the path away or passes it on.
func TestBasePath(t *testing.T) {
	s := serve(t, "--config", configure(t, "serial: none\nhttp: {base: /cellar/hub}\n"))
	x := addSender(t, s.client(t, "far"), "pump", hub.SenderOptions{Events: []string{"rpm"}})
	x.send("rpm", 2900)
	hubURL, err := url.Parse(s.url())
	if err != nil {
		t.Fatal(err)
	}
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(hubURL)
		r.Out.Host = r.In.Host
	}}
	paths := http.NewServeMux()
	paths.Handle("/house/hub/", http.StripPrefix("/house/hub", pass)) // takes it away
	paths.Handle("/cellar/", pass)                                    // passes it on
	paths.Handle("/attic/", pass)                                     // passes on one that the hub does not know
	proxy := httptest.NewServer(paths)
	defer proxy.Close()
	rpm := 2900
	for _, base := range []string{
		proxy.URL + "/house/hub/", proxy.URL + "/cellar/hub/", proxy.URL + "/cellar/hub", s.url() + "cellar/hub/", s.url() + "cellar/hub", s.url(),
	} {
		p := open(t, base, "")
		p.until(row("far", "pump rpm") + fmt.Sprintf(`?.querySelector(".value").innerText === "2,%d"`, rpm-2000))
		rpm++
		x.send("rpm", rpm)
		p.until(row("far", "pump rpm") + fmt.Sprintf(`?.querySelector(".value").innerText === "2,%d"`, rpm-2000))
		p.show("device", "name:far")
		p.until(`document.querySelector(".u-over")`) // what comes later is found as well
	}
	answer, err := http.Get(proxy.URL + "/attic/hub/")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusNotFound || !strings.Contains(string(text), "write the path that it passes on into http.base") {
		t.Errorf("below a path that the hub does not know, it says %s: %s, %v", answer.Status, text, err)
	}
}
