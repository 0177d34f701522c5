package browsertest

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	cdpage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// A page is the hub's page in a tab of the browser.
type page struct {
	t    *testing.T
	ctx  context.Context
	base string

	mu       sync.Mutex
	problems []string // what the console says, and requests to others
	expected []string // parts of what it may say
}

// open opens the page at an address. When the test ends, nothing may have been said on the console, and no other host asked.
func open(t *testing.T, base, path string, options ...chromedp.ContextOption) *page {
	t.Helper()
	p := blank(t, base, options...)
	p.do(chromedp.Navigate(base + "#/" + path))
	return p
}

// openIn opens the page in a browser in which a script has run before.
func openIn(t *testing.T, script, base, path string) *page {
	t.Helper()
	p := blank(t, base)
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, cdpage.AddScriptToEvaluateOnNewDocument, cdpage.AddScriptToEvaluateOnNewDocumentParams{Source: script})
		return err
	}), chromedp.Navigate(base+"#/"+path))
	return p
}

// blank makes a tab for the page at an address.
func blank(t *testing.T, base string, options ...chromedp.ContextOption) *page {
	t.Helper()
	p := &page{t: t, base: base}
	at, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(browser, append(options, chromedp.WithListener(func(ev any) {
		if e, ok := ev.(*network.EventRequestWillBeSent); ok {
			if u, err := url.Parse(e.Request.URL); err != nil || u.Host != at.Host && u.Scheme != "data" {
				p.note("a request to " + e.Request.URL)
			}
		}
		if e, ok := ev.(*network.EventWebSocketCreated); ok {
			if u, err := url.Parse(e.URL); err != nil || u.Host != at.Host {
				p.note("a connection to " + e.URL)
			}
		}
	}))...)
	p.ctx = ctx
	if err := chromedp.Do(ctx); err != nil { // the tab lives as long as the first context
		t.Fatal(err)
	}
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, network.Enable, network.EnableParams{})
		return err
	}))
	var reading sync.WaitGroup
	ready := make(chan struct{})
	reading.Go(func() {
		close(ready)
		for m, err := range chromedp.Console(ctx) {
			if err != nil {
				return
			}
			if m.Type != chromedp.ConsoleLog && m.Type != chromedp.ConsoleDebug && m.Type != chromedp.ConsoleInfo {
				p.note(fmt.Sprintf("console %s: %s (%s:%d:%d)", m.Type, m.Text, m.URL, m.Line, m.Column))
			}
		}
	})
	<-ready
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the page said:\n%s", p.textNow())
		}
		cancel()
		reading.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, problem := range p.problems {
			t.Error(problem)
		}
	})
	p.look(1280, 900, "light")
	return p
}

func (p *page) note(problem string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, part := range p.expected {
		if strings.Contains(problem, part) {
			return
		}
	}
	if len(p.problems) < 20 {
		p.problems = append(p.problems, problem)
	}
}

// expect allows that the console says something that contains a part.
func (p *page) expect(part string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = append(p.expected, part)
}

func (p *page) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 2*patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatal(err)
	}
}

// look sets the size of the window, and whether it is light or dark.
func (p *page) look(width, height int64, scheme string) {
	p.t.Helper()
	var options []chromedp.EmulateViewportOption
	if width < 600 {
		options = append(options, chromedp.EmulateMobile)
	}
	p.do(chromedp.EmulateViewport(width, height, options...), chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	}))
}

// show goes to a view.
func (p *page) show(parts ...string) {
	p.t.Helper()
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	eval[any](p, fmt.Sprintf("location.hash = %q, null", "#/"+strings.Join(parts, "/")))
}

// eval returns the value of an expression in JavaScript.
func eval[T any](p *page, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 2*patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// until waits until an expression is true. What it looks at may not be there yet.
func (p *page) until(expression string) {
	p.t.Helper()
	whole := "(() => { try { return Boolean(" + expression + ") } catch { return false } })()"
	eventually(p.t, expression, func() bool {
		ctx, cancel := context.WithTimeout(p.ctx, 2*patience)
		defer cancel()
		is, err := chromedp.Run(ctx, chromedp.Evaluate[bool](whole))
		if err != nil && !strings.Contains(err.Error(), "navigated") { // the tab may load the page anew
			p.t.Fatalf("%s: %v", expression, err)
		}
		return err == nil && is
	})
}

// textNow returns all text of the page.
func (p *page) textNow() string {
	ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText"))
	if err != nil {
		return err.Error()
	}
	return text
}

// untilText waits until the page says something.
func (p *page) untilText(text string) {
	p.t.Helper()
	p.until(fmt.Sprintf("document.body.innerText.includes(%q)", text))
}

func (p *page) keys(keys string, options ...chromedp.KeyOption) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(keys, options...))
}

// slash presses the key / as a keyboard does: whoever takes the key takes the character as well.
func (p *page) slash() {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		press := input.DispatchKeyEventParams{
			Type: input.DispatchKeyEventTypeKeyDown, Text: "/", UnmodifiedText: "/", Code: "Slash", Key: "/", WindowsVirtualKeyCode: 191,
		}
		if _, err := cdp.Call(ctx, t, input.DispatchKeyEvent, press); err != nil {
			return err
		}
		press.Type, press.Text, press.UnmodifiedText = input.DispatchKeyEventTypeKeyUp, "", ""
		_, err := cdp.Call(ctx, t, input.DispatchKeyEvent, press)
		return err
	}))
}

func (p *page) key(key string) {
	p.t.Helper()
	p.keys(map[string]string{
		"tab": kb.Tab, "enter": kb.Enter, "down": kb.ArrowDown, "left": kb.ArrowLeft, "escape": kb.Escape,
	}[key])
}

// click clicks on the element that a selector names.
func (p *page) click(selector string) {
	p.t.Helper()
	p.press(fmt.Sprintf("document.querySelector(%q)", selector))
}

// press clicks on the element that an expression finds, as soon as it is there: at once, for what is drawn may be drawn anew.
func (p *page) press(element string) {
	p.t.Helper()
	p.until(fmt.Sprintf("((e) => e && (e.click(), true))(%s)", element))
}

// focus has the element that a selector names take the keys, as soon as it is there, in the place of what is written there.
func (p *page) focus(selector string) {
	p.t.Helper()
	p.until(fmt.Sprintf("((e) => e && (e.focus(), e.select?.(), true))(document.querySelector(%q))", selector))
}

// untilIs waits until an expression has a value, and fails with the value that it has in its place.
func (p *page) untilIs(expression, want string) {
	p.t.Helper()
	defer func() {
		if p.t.Failed() {
			p.t.Logf("%s is %v", expression, eval[any](p, expression))
		}
	}()
	p.until(fmt.Sprintf("%s === %q", expression, want))
}

// choose presses one of the buttons that choose a span, a level or a way to log in.
func (p *page) choose(text string) {
	p.t.Helper()
	p.press(fmt.Sprintf(`[...document.querySelectorAll("main .ranges button")].find(b => b.innerText === %q)`, text))
}

// row returns the text of the row in a card whose device and event have these names.
func row(device, event string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(".card.device")].filter(c => c.querySelector("h3").innerText === %q)
		.flatMap(c => [...c.querySelectorAll("tr")]).find(r => r.querySelector("th").innerText === %q)`, device, event)
}

// card returns the card of a device.
func card(device string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(".card.device")].find(c => c.querySelector("h3").innerText === %q)`, device)
}
