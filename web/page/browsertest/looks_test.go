package browsertest

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	cdpage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"sighub/hub"
)

// unreadable returns the texts whose contrast with what is behind them is less than WCAG 2 asks for: 4.5, or 3 if they are large.
const unreadable = `(() => {
	const parse = (c) => (c.match(/[\d.]+/g) || []).map(Number);
	const over = ([r, g, b, a = 1], [x, y, z]) => [r * a + x * (1 - a), g * a + y * (1 - a), b * a + z * (1 - a)];
	const light = (c) => c.map((v) => v / 255).map((v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4).reduce((n, v, i) => n + v * [.2126, .7152, .0722][i], 0);
	const behind = (e) => {
		const layers = [];
		for (; e; e = e.parentElement) layers.push(parse(getComputedStyle(e).backgroundColor));
		let c = [255, 255, 255];
		for (const l of layers.reverse()) if (l.length) c = over(l, c);
		return c;
	};
	const found = [];
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let n; (n = walker.nextNode());) {
		const e = n.parentElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
		if (!n.data.trim() || !e.checkVisibility({visibilityProperty: true, opacityProperty: true}) || r.width < 2 || e.closest("noscript, .hidden, :disabled, .skip")) continue;
		const back = behind(e), a = light(over(parse(s.color), back)), b = light(back), ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
		const size = parseFloat(s.fontSize), large = size >= 24 || size >= 18.66 && s.fontWeight >= 700;
		if (ratio < (large ? 3 : 4.5)) found.push(ratio.toFixed(2) + " " + e.tagName + "." + e.className + " " + n.data.trim().slice(0, 40) + " " + s.color);
	}
	return [...new Set(found)];
})()`

// nameless returns what can be used and has no name for who does not see it.
const nameless = `[...document.querySelectorAll("a, button, input, textarea, select, [role=img], nav, [role=group]")].filter((e) => e.checkVisibility())
	.filter((e) => !(e.getAttribute("aria-label") || e.title || e.textContent.trim() || e.labels && e.labels.length || e.querySelector("img[alt]:not([alt=''])")))
	.map((e) => e.outerHTML.slice(0, 100))`

// TestLooks: on a phone and on a desk, light and dark, all text of all views can be read, nothing is cut off, and what can be used has a
// name.
func TestLooks(t *testing.T) {
	b := plug(t, "orchard", 4, "light:lux", "temperature:celsius")
	s := serve(t, "--config", configure(t, `
serial: [{port: %s}]
thresholds:
  - {sender: light, event: lux, below: 10, until: 15, report: "#dark"}
`, b.path))
	r := s.client(t, "a program with quite a long name")
	gone := addSender(t, s.client(t, "short"), "guest", hub.SenderOptions{Events: []string{"n"}})
	gone.send("n", 1)
	gone.Remove()
	x := addSender(t, r, "text", hub.SenderOptions{Events: []string{"line"}})
	x.send("line", "a text that is long enough to need more room than there is in a line of a phone")
	signal, err := x.Signal("line")
	if err != nil {
		t.Fatal(err)
	}
	_ = signal.TriggerAt(t.Context(), 1, time.Unix(1, 0), 0) // it is refused, and so lost
	p := open(t, s.url(), "")
	p.until(card("orchard"))
	device := strings.TrimPrefix(eval[string](p, `document.querySelector(".card.device h3 a").hash`), "#/")
	p.looks(t, "", device, "ports", "losses", "thresholds", "journal", "bridges", "clients", "log", "access", "send")
	p.click("header button.quiet") // light, whatever the system has
	if got := eval[string](p, "getComputedStyle(document.body).backgroundColor"); got != "rgb(246, 245, 241)" {
		t.Errorf("after a click the page is %s", got)
	}
}

// looks looks at views in all sizes and colours.
func (p *page) looks(t *testing.T, views ...string) {
	t.Helper()
	for _, size := range [][2]int64{{390, 844}, {1280, 900}, {768, 1024}} {
		for _, scheme := range []string{"light", "dark"} {
			p.look(size[0], size[1], scheme)
			for _, view := range views {
				eval[any](p, fmt.Sprintf("location.hash = %q, null", "#/"+view))
				p.until(`document.querySelector("h1, .empty h2") && !document.body.innerText.includes("asking the hub")`)
				p.shot(fmt.Sprintf("%s-%s-%d-%s", t.Name(), cmp.Or(strings.Trim(strings.Map(letter, view), "-"), "overview"), size[0], scheme))
				where := fmt.Sprintf("%q, %d wide, %s", view, size[0], scheme)
				if bad := eval[[]string](p, unreadable); len(bad) > 0 {
					t.Errorf("%s: hard to read: %s", where, strings.Join(bad, "; "))
				}
				if over := eval[int](p, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
					t.Errorf("%s: it is %d pixels too wide: %v", where, over, eval[[]string](p,
						`[...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1).slice(0, 4).map(e => e.tagName + "." + e.className)`))
				}
				if bad := eval[[]string](p, nameless); len(bad) > 0 {
					t.Errorf("%s: without a name: %q", where, bad)
				}
			}
		}
	}
}

func letter(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
		return r
	}
	return '-'
}

// shot makes a picture of the whole view, if pictures are wanted.
func (p *page) shot(name string) {
	p.t.Helper()
	if *shots == "" {
		return
	}
	p.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		shot, err := cdp.Call(ctx, target, cdpage.CaptureScreenshot, cdpage.CaptureScreenshotParams{Format: cdpage.CaptureScreenshotFormatPng})
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(*shots, name+".png"), shot.Data, 0o644)
	}))
}

// TestLooksGuarded: so it is where people log in, and for who may do everything.
func TestLooksGuarded(t *testing.T) {
	g := guard(t, houseRules)
	g.owner(t, "", "pair", "visitor", "--token")
	g.owner(t, "correct horse\n", "password", "carl", "--file", "-", "--role", "cook")
	token := g.owner(t, "", "pair", "boss", "--token", "--role", "admin")
	p := open(t, g.url(), "")
	p.untilText("Log in at this hub")
	p.looks(t, "log-in")
	p.show("")
	p.logIn("token", "", token)
	p.live()
	p.show("access")
	p.focus("form.row input")
	p.keys("phone")
	p.key("enter")
	p.until(`document.querySelector(".qr")`)
	p.shot("TestLooksGuarded-qr")
	p.looks(t, "access", "")
}

// TestKeyboard: everything can be done with keys alone.
func TestKeyboard(t *testing.T) {
	s := serve(t)
	r := s.client(t, "kitchen")
	x := addSender(t, r, "kettle", hub.SenderOptions{Events: []string{"celsius"}, Units: map[string]string{"celsius": "Cel"}})
	x.send("celsius", 97.5)
	p := open(t, s.url(), "")
	p.until(card("kitchen"))

	focused := func() string {
		return eval[string](p, `(document.activeElement.innerText || document.activeElement.placeholder || document.activeElement.getAttribute("aria-label") || "").split("\n")[0]`)
	}
	var seen []string
	for range 18 {
		p.key("tab")
		seen = append(seen, focused())
		if !eval[bool](p, `document.activeElement === document.body || getComputedStyle(document.activeElement).outlineStyle !== "none" && parseFloat(getComputedStyle(document.activeElement).outlineWidth) >= 1`) {
			t.Errorf("%q has the focus, and it is not seen", focused())
		}
	}
	all := strings.Join(seen, "|")
	for _, name := range []string{"To the content", "sighub", "Devices", "Ports", "Losses", "Thresholds", "Journal", "Bridges", "Clients", "Log", "Send", "Search", "auto", "kitchen", "kettle celsius", "licences"} {
		if !strings.Contains(all, name) {
			t.Errorf("the key Tab does not reach %q: %s", name, all)
		}
	}

	eval[any](p, "document.activeElement.blur(), null")
	p.slash()
	p.until(`document.activeElement.type === "search"`)
	p.keys("kett")
	p.until(`document.querySelectorAll("#found [role=option]").length === 1`)
	p.key("enter")
	p.until(`document.querySelector("h1")?.innerText.includes("kettle celsius")`)
	p.until(`document.querySelector(".value").innerText === "97.5°C"`)
	p.slash()
	p.keys("o")
	p.until(`document.querySelectorAll("#found [role=option]").length > 1`)
	first := eval[string](p, `document.querySelector("#found [aria-selected=true]").innerText`)
	p.key("down")
	p.until(fmt.Sprintf(`document.querySelector("#found [aria-selected=true]").innerText !== %q`, first))
	p.key("escape")
	p.until(`!document.querySelector("#found")`)

	heard := make(chan hub.Event, 16)
	if _, err := r.AddRemoteListener(t.Context(), "door", "opened", func(ev hub.Event) { heard <- ev }); err != nil {
		t.Fatal(err)
	}
	p.slash()
	p.keys("send")
	p.until(`document.querySelector("#found [role=option]")`)
	p.key("enter")
	p.until(`document.querySelector("form.form")`)
	for !strings.HasPrefix(focused(), "door") {
		p.key("tab")
	}
	p.keys("door")
	p.key("tab")
	p.keys("opened")
	p.key("tab")
	p.keys(`{"by":"anna's <b>","n":1.5}`)
	p.until(`document.querySelector(".command code").innerText === "sighub send door opened '{\"by\":\"anna'\\''s <b>\",\"n\":1.5}'"`)
	p.key("tab")
	p.key("enter")
	p.untilText("the hub has taken it")
	select {
	case ev := <-heard:
		if got := fmt.Sprint(ev.Data); got != `{"by":"anna's <b>","n":1.5}` {
			t.Errorf("it is heard as %s", got)
		}
	case <-time.After(patience):
		t.Error("nobody hears what was sent")
	}
}
