package browsertest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"testing"
	"time"

	"sighub/carrier/tcp"
	"sighub/hub"
)

// TestSleep: what has gone, come and changed while nobody saw the page is right when somebody does: since when, and why.
func TestSleep(t *testing.T) {
	const asleep = 4 * time.Second
	s := serve(t)
	stays := addSender(t, s.client(t, "stays"), "stays", hub.SenderOptions{Events: []string{"n"}})
	returns := visitor(t, s, "returns")
	goes := visitor(t, s, "goes")
	goesBefore := visitor(t, s, "goes before")
	stays.send("n", 1)
	p := open(t, s.url(), "")
	for _, name := range []string{"stays", "returns", "goes", "goes before"} {
		p.until(anyCard(name) + `?.querySelector(".pill").innerText.startsWith("connected")`)
	}
	goesBefore()
	p.until(anyCard("goes before") + `?.querySelector(".pill").textContent.startsWith("gone")`)
	hide := func(hidden bool) {
		eval[any](p, fmt.Sprintf(`Object.defineProperty(document, "hidden", {configurable: true, get: () => %v}), document.dispatchEvent(new Event("visibilitychange")), null`, hidden))
	}
	time.Sleep(2 * time.Second) // so that those who stay are there for longer than those who return
	began := time.Now()
	hide(true)
	goes()
	returns()
	comes := visitor(t, s, "returns")
	defer comes()
	visitor(t, s, "comes and goes")()
	stays.send("n", 2)
	slept := time.Now()
	time.Sleep(asleep)
	hide(false)
	p.until(row("stays", "stays n") + `?.querySelector(".value").innerText === "2"`)
	p.until(anyCard("goes") + `?.querySelector(".pill").textContent.startsWith("gone: closed, for ")`)
	p.until(anyCard("comes and goes") + `?.querySelector(".pill").textContent.startsWith("gone: closed, for ")`)
	p.until(anyCard("returns") + `?.querySelector(".pill").textContent.startsWith("connected for ")`)
	since := func(name string) time.Time {
		return time.UnixMilli(eval[int64](p, `Date.parse(`+anyCard(name)+`.querySelector(".pill time").dateTime)`))
	}
	for _, name := range []string{"goes", "comes and goes", "returns"} {
		if at := since(name); at.After(slept.Add(time.Second)) || at.Before(began.Add(-time.Second)) {
			t.Errorf("%q is so since %v, and it happened from %v to %v", name, at, began, slept)
		}
	}
	for _, name := range []string{"stays", "goes before"} {
		if at := since(name); !at.Before(began.Add(-time.Second)) {
			t.Errorf("%q is so since %v, which was before %v", name, at, began)
		}
	}
}

// anyCard returns the card of a device, also of one that is folded away.
func anyCard(device string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(".card.device")].find(c => c.querySelector("h3").textContent === %q)`, device)
}

// visitor connects a client that has a sender, both of one name, and returns what has it go.
func visitor(t *testing.T, s *server, name string) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, done := hub.NewClientRouter(hub.ClientOptions{}), make(chan struct{})
	go func() {
		defer close(done)
		_ = r.Serve(ctx, tcp.NewClient("tcp://"+s.addr, tcp.ClientOptions{Name: name}))
	}()
	addSender(t, r, name, hub.SenderOptions{Events: []string{"n"}}).send("n", 1)
	return func() {
		cancel()
		<-done
	}
}

// TestComeAndGo: pages that come and go at a busy hub leave nothing there.
func TestComeAndGo(t *testing.T) {
	const pages, stay = 50, 300 * time.Millisecond
	s := serve(t)
	devices := act(t, role{What: "devices", Addr: s.addr, Count: 50, Every: 50 * time.Millisecond}, false)
	once := func(d time.Duration) int {
		t.Helper()
		a := act(t, role{What: "pages", Addr: s.addr, Count: pages, Gather: pageGather, Idle: stay}, true)
		time.Sleep(d)
		n := a.since().Events
		a.stop()
		eventually(t, "the pages have gone", func() bool { return s.metric(t, "sighub_clients") == 50 })
		return n
	}
	once(2 * time.Second) // what pages need is there
	goroutines, before := s.metric(t, "sighub_goroutines"), resident(t, s.cmd.Process.Pid)
	heard := once(max(*report/5, 4*time.Second))
	if heard < pages {
		t.Fatalf("the pages heard %d events", heard)
	}
	eventually(t, "the hub has as many goroutines as before", func() bool { return s.metric(t, "sighub_goroutines") <= goroutines+5 })
	after := resident(t, s.cmd.Process.Pid)
	t.Logf("%d events were sent and %d heard; the hub has %.1f MB, then %.1f MB, of which %.0f bytes are held for clients",
		devices.since().Events, heard, before, after, s.metric(t, "sighub_budget_used_bytes"))
	if after > before+8 {
		t.Errorf("the hub has grown from %.1f to %.1f MB", before, after)
	}
}

// metric returns a number of the hub's.
func (s *server) metric(t *testing.T, name string) float64 {
	t.Helper()
	answer, err := http.Get(s.url() + "metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(text)
	if m == nil {
		t.Fatalf("there is no %s in\n%s", name, text)
	}
	v, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
