package browsertest

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

const houseRules = `
roles:
  cook:
    - listen: {sender: "kitchen*", event: "*"}
  feeder:
    - add
    - trigger
identities:
  feed: feeder
`

// A guarded is a hub with rules, and its owner at the Unix socket.
type guarded struct {
	*server
	rules, socket string
}

func guard(t *testing.T, rules string) *guarded {
	t.Helper()
	dir, err := os.MkdirTemp("", "sighub-guard-") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	g := &guarded{rules: filepath.Join(dir, "access.yaml"), socket: "unix://" + filepath.Join(dir, "hub.sock")}
	g.write(t, rules+fmt.Sprintf("users:\n  %d: admin\n", os.Getuid()))
	g.server = serve(t, "--access", g.rules, "--listen", g.socket)
	return g
}

func (g *guarded) write(t *testing.T, rules string) {
	t.Helper()
	if err := os.WriteFile(g.rules, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
}

// owner runs a command as the owner of the hub, and returns what it prints.
func (g *guarded) owner(t *testing.T, input string, args ...string) string {
	t.Helper()
	c := exec.Command(program, append(args, "--hub", g.socket)...)
	c.Stdin = strings.NewReader(input)
	said := new(strings.Builder)
	c.Stderr = said
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %v: %s", args, err, said)
	}
	return strings.TrimSpace(string(out))
}

// feed sends events, which a program with a token does.
func (g *guarded) feed(t *testing.T, sender, event, data string) {
	t.Helper()
	g.owner(t, "", "send", sender, event, data)
}

// logIn fills in the form.
func (p *page) logIn(by string, name, secret string) {
	p.t.Helper()
	p.until(`document.querySelector("form.form")`)
	p.press(fmt.Sprintf(`[...document.querySelectorAll(".ranges button")].find(b => b.innerText.toLowerCase().includes(%q))`, by))
	p.until(fmt.Sprintf(`Boolean(document.querySelector("input[autocomplete=username]")) === %v`, by == "password"))
	for selector, text := range map[string]string{"input[autocomplete=username]": name, "input[type=password]": secret} {
		if text == "" {
			continue
		}
		p.focus(selector)
		p.keys(text)
	}
	p.key("enter")
}

func (p *page) live() {
	p.t.Helper()
	p.until(`document.querySelector(".connection").innerText === "live" && document.querySelector("main h1, main .empty")`)
}

// views is the expression for the views that are offered.
const views = `[...document.querySelectorAll("nav a")].map(a => a.innerText).join(" ")`

// keptHere is the expression for what the browser keeps.
const keptHere = `Object.values(sessionStorage).join() + Object.values(localStorage).join()`

// TestLogIn: where the hub lets in only whom it knows, the page asks who is there, and shows what that one may see: nothing to others.
func TestLogIn(t *testing.T) {
	g := guard(t, houseRules)
	token := g.owner(t, "", "pair", "ann", "--token")
	g.owner(t, "correct horse\n", "password", "carl", "--file", "-", "--role", "cook")
	g.feed(t, "kitchen.oven", "celsius", "180")
	g.feed(t, "bedroom", "lux", "7")

	p := open(t, g.url(), "")
	p.untilText("Log in at this hub")
	if text := p.textNow(); strings.Contains(text, "kitchen") || strings.Contains(text, "live") {
		t.Errorf("who is not known sees %s", text)
	}
	for path, want := range map[string]int{
		"": 200, "-/healthy": 200, "-/ready": 200, "metrics": 401, "api/v1/senders": 401, "api/v1/events": 401, "api/v1/openapi.json": 401, "nothing": 401,
	} {
		if got := g.status(t, path, ""); got != want {
			t.Errorf("%s answers nobody with %d", path, got)
		}
	}

	p.logIn("token", "", "sgh_"+strings.Repeat("A", 52))
	p.untilText("this login is not known here")
	p.logIn("token", "", token)
	p.live()
	p.untilText("kitchen.oven")
	p.untilText("bedroom")
	p.untilIs(views, "Devices Losses Thresholds")
	p.show("clients")
	p.untilText("There is no such view")
	for path, want := range map[string]int{"metrics": 200, "api/v1/senders": 200, "api/v1/clients": 403, "api/v1/ports": 403, "nothing": 404} {
		if got := g.status(t, path, token); got != want {
			t.Errorf("%s answers a viewer with %d", path, got)
		}
	}
	eval[any](p, "location.reload(), null")
	p.live() // the tab knows the token
	p.click(`header button[title^="log out"]`)
	p.untilText("Log in at this hub")

	// By a password, the page goes on with a session, also after a reload, and when it was lost.
	p.show("")
	p.logIn("password", "carl", "wrong horse")
	p.untilText("this login is not known here")
	p.logIn("password", "carl", "correct horse")
	p.live()
	p.untilText("kitchen.oven")
	if text := p.textNow(); strings.Contains(text, "bedroom") {
		t.Errorf("the cook sees the bedroom: %s", text)
	}
	p.until(`/^sgs_\w+$/.test(` + keptHere + `)`)
	kept := eval[string](p, keptHere)
	if got := g.status(t, "api/v1/senders", kept); got != 200 {
		t.Errorf("by the session: %d", got)
	}
	if got := g.status(t, "metrics", kept); got != 403 {
		t.Errorf("the cook reads metrics: %d", got)
	}
	eval[any](p, "location.reload(), null")
	p.live()
	p.click(`header button[title^="log out"]`)
	p.untilText("Log in at this hub")
	if got := g.status(t, "api/v1/senders", kept); got != 401 {
		t.Errorf("by a session that has ended: %d", got)
	}
}

// TestRevoked: who loses a right while the page is open sees that at once, and nothing more of what may not be seen.
func TestRevoked(t *testing.T) {
	g := guard(t, houseRules)
	g.owner(t, "correct horse\n", "password", "carl", "--file", "-", "--role", "viewer")
	g.feed(t, "kitchen.oven", "celsius", "180")
	g.feed(t, "bedroom", "lux", "7")
	p := open(t, g.url(), "")
	p.logIn("password", "carl", "correct horse")
	p.live()
	p.untilText("bedroom")
	p.until(`sessionStorage.length > 0`)
	kept := eval[string](p, `Object.values(sessionStorage).join()`)

	g.write(t, houseRules+fmt.Sprintf("  carl: cook\nusers:\n  %d: admin\n", os.Getuid()))
	g.owner(t, "", "reload")
	p.until(`document.body.innerText.includes("kitchen.oven") && !document.body.innerText.includes("bedroom")`)
	if got := g.status(t, "api/v1/senders/bedroom/events/lux", kept); got != 403 {
		t.Errorf("what may not be heard any more: %d", got)
	}
	g.owner(t, "", "revoke", "carl")
	p.untilText("Log in at this hub")
	if text := p.textNow(); strings.Contains(text, "kitchen") {
		t.Errorf("who was revoked sees %s", text)
	}
	if got := g.status(t, "api/v1/senders", kept); got != 401 {
		t.Errorf("by what was revoked: %d", got)
	}
	p.untilIs(keptHere, "")
}

// TestAccess: an admin sees who may do what, lets others in, and takes that back.
func TestAccess(t *testing.T) {
	g := guard(t, houseRules)
	token := g.owner(t, "", "pair", "boss", "--token", "--role", "admin")
	p := open(t, g.url(), "in/"+token)
	p.live()
	if hash := eval[string](p, "location.href"); strings.Contains(hash, token) {
		t.Error("the token stays in the address")
	}
	p.untilIs(views, "Devices Ports Losses Thresholds Journal Bridges Clients Log Access Send")
	p.show("access")
	p.untilText("Whom the hub knows")
	p.until(`[...document.querySelectorAll("tr")].some(r => r.innerText.includes("boss") && r.innerText.includes("token"))`)
	p.until(`[...document.querySelectorAll("tr")].some(r => r.innerText.includes("feed") && r.innerText.includes("all"))`)

	pick := func(way, name, role string) {
		t.Helper()
		p.until(`document.querySelectorAll("form.row select").length === 2 && document.querySelector("form.row input")`)
		eval[any](p, fmt.Sprintf(`(() => {
			const [whom, role] = document.querySelectorAll("form.row select");
			for (const [e, v] of [[whom, %q], [role, %q]]) e.value = v, e.dispatchEvent(new Event("change", {bubbles: true}));
			document.querySelector("form.row input").focus();
			document.querySelector("form.row input").select();
		})()`, way, role))
		p.keys(name)
	}
	pick("phone", "phone", "viewer")
	p.key("enter")
	p.until(`document.querySelector(".qr")`)
	link := eval[string](p, `document.querySelector(".invited code").innerText`)
	if !regexp.MustCompile(`#/in/sgh_\w+$`).MatchString(link) {
		t.Errorf("the phone opens %s", link)
	}
	_, fragment, _ := strings.Cut(link, "#/")
	phone := open(t, g.url(), fragment, chromedp.WithNewBrowserContext()) // another browser
	phone.live()
	eval[any](phone, "sessionStorage.clear(), location.reload(), null")
	phone.live()                                                        // it stays logged in
	eval[any](phone, fmt.Sprintf(`location.hash = %q, null`, fragment)) // the same address, in the page that is open
	phone.until(`!location.hash.includes("/in/")`)
	phone.live()
	phone.untilIs(views, "Devices Losses Thresholds")

	pick("password", "dora", "operator")
	p.focus("form.row input[type=password]")
	p.keys("battery staple")
	p.key("enter")
	p.untilText("can log in by the password now")

	revoke := func(name string) {
		t.Helper()
		button := fmt.Sprintf(`[...document.querySelectorAll("tr")].find(r => r.querySelector("b")?.innerText === %q)?.querySelector("button")`, name)
		p.press(button)
		p.until(button + `.innerText.startsWith("really")`)
		p.press(button)
		p.until(fmt.Sprintf(`[...document.querySelectorAll("tr")].some(r => r.innerText.includes(%q) && r.innerText.includes("revoked"))`, name))
	}
	revoke("phone")
	phone.untilText("Log in at this hub")

	g.write(t, houseRules+fmt.Sprintf("  ghost: nonsense\nusers:\n  %d: admin\n", os.Getuid()))
	p.press(`[...document.querySelectorAll("button")].find(b => b.innerText.includes("what has changed"))`)
	p.untilText("nonsense")
}

// status returns how a path is answered to who says a token.
func (s *server) status(t *testing.T, path, token string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode
}
