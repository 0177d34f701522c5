package browsertest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestTabs: who logs out in one tab is logged out in all that the login was kept for, and their connections end; a login of another tab
// alone is left alone.
func TestTabs(t *testing.T) {
	g := guard(t, houseRules)
	g.owner(t, "correct horse\n", "password", "carl", "--file", "-", "--role", "viewer")
	token := g.owner(t, "", "pair", "ann", "--token")
	g.feed(t, "kitchen.oven", "celsius", "180")
	one := open(t, g.url(), "")
	one.untilText("Log in at this hub")
	one.click("input[type=checkbox]") // for long
	one.logIn("password", "carl", "correct horse")
	one.live()
	const login = `Object.entries(localStorage).find(([k]) => k.startsWith("login"))`
	one.until(login)
	kept := eval[string](one, login+"[1]")
	two := open(t, g.url(), "losses") // who is logged in for long is, in another tab
	two.live()
	three := open(t, g.url(), "")
	eval[any](three, fmt.Sprintf(`sessionStorage.setItem(Object.keys(localStorage).find(k => k.startsWith("login")), %q), location.reload(), null`, token))
	three.until(`document.querySelector(".who")?.innerText.includes("ann")`)
	three.live()

	// Nothing of the second tab's own tells it: the hub does.
	two.expect("WebSocket")
	eval[any](two, `addEventListener("storage", (e) => e.stopImmediatePropagation(), true), null`)
	one.click(`header button[title^="log out"]`)
	one.untilText("Log in at this hub")
	two.untilText("Log in at this hub")
	if text := two.textNow(); strings.Contains(text, "kitchen") {
		t.Errorf("who is logged out sees %s", text)
	}
	three.live()
	three.untilText("kitchen.oven")
	if got := g.status(t, "api/v1/senders", kept); got != 401 {
		t.Errorf("by a session that has ended: %d", got)
	}
	if got := eval[int](three, `Object.keys(localStorage).filter(k => k.startsWith("login")).length`); got != 0 {
		t.Errorf("%d logins are kept", got)
	}
}

// TestLinkedLogin: a link that logs in somebody else than who is logged in asks first; one that nobody knows changes nothing.
func TestLinkedLogin(t *testing.T) {
	g := guard(t, houseRules)
	ann, bob := g.owner(t, "", "pair", "ann", "--token"), g.owner(t, "", "pair", "bob", "--token", "--role", "cook")
	again := g.owner(t, "", "pair", "ann", "--token")
	g.feed(t, "bedroom", "lux", "7")
	p := open(t, g.url(), "in/"+ann)
	p.live()
	p.untilText("bedroom")
	who := func(name string) {
		t.Helper()
		p.until(fmt.Sprintf(`document.querySelector(".who")?.innerText.trim() === %q && document.querySelector(".connection").innerText === "live"`, name))
	}
	press := func(text string) {
		t.Helper()
		p.press(fmt.Sprintf(`[...document.querySelectorAll(".banner button")].find(b => b.innerText === %q)`, text))
		p.until(`!document.querySelector(".banner")`)
	}
	link := func(token string) { p.do(chromedp.Navigate(g.url() + "#/in/" + token)) }
	other := open(t, g.url(), "")
	for _, tab := range []*page{p, other} {
		tab.expect("WebSocket is closed before") // one login may come soon after another
	}
	other.until(`document.querySelector(".who")?.innerText.trim() === "ann"`)

	link(bob)
	p.untilText("A link that logs in bob was opened. You are ann.")
	if href := eval[string](p, "location.href"); strings.Contains(href, bob) {
		t.Error("the token stays in the address")
	}
	p.untilText("bedroom") // nothing has changed
	press("Stay ann")
	who("ann")
	eval[any](p, "location.reload(), null")
	who("ann")

	p.expect("status of 401")
	link("sgh_" + strings.Repeat("A", 52))
	p.untilText("The link that was opened is not known here")
	press("Close")
	who("ann")

	link(again) // of the same one: there is nothing to ask
	who("ann")
	p.until(fmt.Sprintf(`Object.values(localStorage).includes(%q)`, again))

	link(bob)
	press("Become bob")
	who("bob")
	p.until(`!document.body.innerText.includes("bedroom")`)                   // the cook may not see it
	other.until(`document.querySelector(".who")?.innerText.trim() === "bob"`) // the login is that of all tabs
	eval[any](p, "location.reload(), null")
	who("bob")

	g.owner(t, "", "revoke", "bob") // who is nobody any more is not asked
	p.untilText("Log in at this hub")
	other.untilText("Log in at this hub")
	link(ann)
	who("ann")
}
