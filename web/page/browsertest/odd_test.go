package browsertest

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"sighub/hub"
)

// TestOddNumbers: numbers that no sensor has, but a device may report, are shown as they are, and drawn without harm.
func TestOddNumbers(t *testing.T) {
	s := serve(t)
	x := addSender(t, s.client(t, "odd"), "odd", hub.SenderOptions{Events: []string{"n"}})
	p := open(t, s.url(), "")
	said := make(map[string]string)
	for _, c := range []struct {
		send any
		says string
	}{
		{1, "1"}, {math.NaN(), "null"}, {2, "2"}, {math.Inf(1), "null"}, {math.Copysign(0, -1), "0"}, {5e-324, "4.9407e-324"},
		{12345678.9, "12,345,678.9"}, {-48.137154, "-48.1372"}, {1234567890.5, "1,234,567,890.5"}, {0.1 + 0.2, "0.3"}, {99999.96, "100,000"}, {999999.96, "1,000,000"},
		{uint64(1) << 63, "9.2234e+18"}, {int64(-1) << 53, "-9.0072e+15"}, {math.MaxFloat64, "1.7977e+308"}, {-math.MaxFloat64, "-1.7977e+308"},
		{"warm", "warm"}, {map[string]any{"a": 1}, `{"a":1}`}, {true, "true"}, {nil, "null"}, {[]any{}, "[]"}, {"", ""}, {3, "3"},
	} {
		x.send("n", c.send)
		said[c.says] = fmt.Sprint(c.send)
		p.until(row("odd", "odd n") + fmt.Sprintf(`?.querySelector(".value bdi").innerText === %q`, c.says))
	}
	p.show("device", "name:odd", "odd", "n")
	p.until(`document.querySelector(".u-over")`)
	p.until(`document.querySelector(".legend").innerText.includes("1.7977e+308")`)

	// Two numbers that a chart can hardly tell apart.
	for _, v := range []float64{9.1e15, 9e16, 1e17, 1e300} {
		event := fmt.Sprint("near ", v)
		y := addSender(t, s.client(t, event), event, hub.SenderOptions{Events: []string{"n"}})
		y.send("n", v)
		y.send("n", math.Nextafter(v, 2*v))
		p.show("device", "name:"+event)
		p.until(`document.querySelector(".u-over")`)
		p.until(fmt.Sprintf(`document.querySelector("h1").innerText === %q && document.querySelector(".legend b")`, event))
	}
}

// TestClocks: a browser whose clock is wrong by hours shows the same ages and the same history as one whose clock is right.
func TestClocks(t *testing.T) {
	s := serve(t)
	x := addSender(t, s.client(t, "lab"), "probe", hub.SenderOptions{Events: []string{"depth"}})
	for i := range 10 {
		x.sendAt("depth", i, time.Now().Add(-5*time.Minute+time.Duration(i)*time.Second))
	}
	for _, ahead := range []time.Duration{-5 * time.Hour, 5 * time.Hour, -400 * 24 * time.Hour} {
		t.Run(ahead.String(), func(t *testing.T) {
			p := openIn(t, fmt.Sprintf(`{
				const Right = Date, ahead = %d;
				Date = class extends Right {
					constructor(...a) { a.length ? super(...a) : super(Right.now() + ahead); }
					static now() { return Right.now() + ahead; }
				};
			}`, ahead.Milliseconds()), s.url(), "device/name%3Alab")
			p.expect("WebSocket") // on a machine that is too busy to connect in time
			p.until(`document.querySelector(".legend").innerText.replace(/\s+/g, " ").trim() === "min 0 mean 4.5 max 9"`)
			p.until(`document.querySelector(".panel .age").innerText.match(/^\d+ min.* ago$/)`)
			p.untilText("this machine's clock is")
			p.choose("24 h") // in sums
			p.until(`document.querySelector(".chart").dataset.step > 100000 && document.querySelector(".legend").innerText.replace(/\s+/g, " ").trim() === "min 0 mean 4.5 max 9"`)
		})
	}
}

// TestSums: what the page has heard itself is not added to the sums of the journal, which have it.
func TestSums(t *testing.T) {
	s := serve(t)
	x := addSender(t, s.client(t, "lab"), "probe", hub.SenderOptions{Events: []string{"depth"}})
	at, sent := time.Now().Add(-5*time.Minute), newPast()
	put := func(v float64) {
		x.sendAt("depth", v, at.Add(time.Duration(sent.n)*time.Second))
		sent.add(v)
	}
	for range 10 {
		put(1)
	}
	p := open(t, s.url(), "device/name%3Alab")
	p.until(fmt.Sprintf(`%s === %q`, legendNow, sent.legend("")))
	for range 5 {
		put(100)
	}
	p.until(fmt.Sprintf(`%s === %q`, legendNow, sent.legend("")))
	p.choose("24 h")
	p.until(fmt.Sprintf(`document.querySelector(".chart").dataset.step > 100000 && %s === %q`, legendNow, sent.legend("")))
}

// TestNoWebSocket: a proxy that passes on what the page asks for, and no WebSockets, is named as what is in the way.
func TestNoWebSocket(t *testing.T) {
	s := serve(t)
	at, err := url.Parse(s.url())
	if err != nil {
		t.Fatal(err)
	}
	pass := httputil.NewSingleHostReverseProxy(at)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/socket") {
			http.Error(w, "no", http.StatusBadGateway)
			return
		}
		pass.ServeHTTP(w, r)
	}))
	defer proxy.Close()
	p := blank(t, proxy.URL+"/")
	p.expect("WebSocket")
	p.expect("502")
	p.do(chromedp.Navigate(proxy.URL + "/"))
	p.untilText("the hub answers, but its WebSocket does not get through: a proxy must pass WebSockets on")
}

// TestKeepsNothing: the page works in a browser that keeps nothing for it.
func TestKeepsNothing(t *testing.T) {
	s := serve(t)
	x := addSender(t, s.client(t, "lab"), "probe", hub.SenderOptions{Events: []string{"depth"}})
	x.send("depth", 7)
	p := openIn(t, `for (const name of ["localStorage", "sessionStorage"]) Object.defineProperty(window, name, {get() { throw new DOMException("denied", "SecurityError") }})`, s.url(), "")
	p.until(row("lab", "probe depth") + `?.querySelector(".value").innerText === "7"`)
	p.press(`document.querySelector("button[title='light or dark']")`)
	p.until(`document.documentElement.dataset.theme === "light"`)
}
