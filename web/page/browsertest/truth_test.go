package browsertest

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sighub/hub"
)

// A past is what was sent, or what the hub has on record.
type past struct {
	n              int
	low, high, sum float64
	last           float64
}

func newPast() *past { return &past{low: math.Inf(1), high: math.Inf(-1)} }

func (p *past) add(v float64) {
	p.n, p.low, p.high, p.sum, p.last = p.n+1, min(p.low, v), max(p.high, v), p.sum+v, v
}

// legend returns what the page says of it below a chart.
func (p *past) legend(unit string) string {
	text := func(v float64) string {
		return strings.TrimSuffix(withCommas(strconv.FormatFloat(v, 'g', 6, 64)), ".0")
	}
	return strings.TrimSpace(fmt.Sprintf("min %s mean %s max %s %s", text(p.low), text(p.sum/float64(p.n)), text(p.high), unit))
}

const legendNow = `document.querySelector(".legend")?.innerText.replace(/\s+/g, " ").trim()`

// TestTruth: what the page says is what was sent, through a sleep of its tab, and while the hub was away.
func TestTruth(t *testing.T) {
	s := serve(t)
	x := addSender(t, s.client(t, "meter"), "meter", hub.SenderOptions{Events: []string{"kelvin"}, Units: map[string]string{"kelvin": "K"}})
	sent := newPast()
	put := func(n int) {
		t.Helper()
		for range n {
			v := math.Round(1000*math.Sin(float64(sent.n))) / 8
			x.send("kelvin", v)
			sent.add(v)
		}
	}
	signal, err := x.Signal("kelvin")
	if err != nil {
		t.Fatal(err)
	}
	put(30)
	p := open(t, s.url(), "device/name%3Ameter")
	p.expect("WebSocket")
	p.expect("net::ERR_")
	right := func(when string) {
		t.Helper()
		p.until(fmt.Sprintf(`%s === %q`, legendNow, sent.legend("K")))
		value := withCommas(strconv.FormatFloat(sent.last, 'g', 6, 64))
		p.until(fmt.Sprintf(`document.querySelector(".panel .value bdi").innerText === %q`, value))
		t.Logf("%s: %d events, %s", when, sent.n, sent.legend("K"))
	}
	right("at first")
	put(20)
	right("as they came")

	hide := func(hidden bool) {
		eval[any](p, fmt.Sprintf(`Object.defineProperty(document, "hidden", {configurable: true, get: () => %v}), document.dispatchEvent(new Event("visibilitychange")), null`, hidden))
	}
	hide(true)
	put(25)
	hide(false)
	right("after a sleep")

	for range 2 { // the second time, what was sent comes while the page still tries
		s.stop(syscall.SIGKILL)
		p.untilText("The hub is not reached")
		s.start()
		eventually(t, "the sender is there again", func() bool { return signal.Trigger(t.Context(), 7.5) == nil })
		sent.add(7.5)
		put(15)
		right("after the hub was away")
	}
	p.show("losses")
	p.choose("all on record")
	p.until(`document.querySelector(".lostcount")?.innerText === "0"`)
	if got := onRecord(t, s, "meter", "kelvin"); got.n != sent.n || got.sum != sent.sum {
		t.Errorf("on record are %d events, and %d were sent", got.n, sent.n)
	}
}

// TestCut: what a device measures while its cable is cut is there afterwards, nothing is lost, and the page shows what is on record.
func TestCut(t *testing.T) {
	b := plug(t, "barn", 20, "light:lux")
	s := serve(t, "--serial", b.path)
	p := open(t, s.url(), "")
	p.until(row("barn", "light lux") + `?.querySelector(".value").innerText.includes("lx")`)
	key := eval[string](p, `document.querySelector(".card.device h3 a").hash.slice(2)`)
	key, err := url.PathUnescape(strings.TrimPrefix(key, "device/"))
	if err != nil {
		t.Fatal(err)
	}
	p.show("device", key, "light", "lux")
	p.until(`document.querySelector(".plot")`)
	for range 2 {
		b.cut()
		p.until(`document.querySelector(".bar .pill").innerText.startsWith("away")`)
		time.Sleep(1500 * time.Millisecond) // it measures on
		b.mend()
		p.until(`document.querySelector(".bar .pill").innerText.startsWith("connected")`)
		p.until(`document.querySelector(".panel .age").innerText === "just now"`)
	}
	b.cut() // so that nothing changes any more
	p.until(`document.querySelector(".bar .pill").innerText.startsWith("away")`)
	record := newPast()
	t.Cleanup(func() { t.Logf("on record are %d readings: %s", record.n, record.legend("lx")) })
	eventually(t, "the page says what is on record", func() bool { // the last readings may still be on their way to the disk
		record = onRecord(t, s, "light", "lux")
		return eval[bool](p, fmt.Sprintf(`%s === %q`, legendNow, record.legend("lx")))
	})
	if record.n < 60 {
		t.Errorf("only %d readings are on record", record.n)
	}
	eval[any](p, "location.reload(), null") // from the journal alone
	p.until(fmt.Sprintf(`%s === %q`, legendNow, record.legend("lx")))
	p.show("losses")
	p.choose("all on record")
	p.until(`document.querySelector(".lostcount")?.innerText === "0"`)
}

// TestSeam: where what is on record meets what happens, a chart has each event once.
func TestSeam(t *testing.T) {
	s := serve(t)
	x := addSender(t, s.client(t, "meter"), "meter", hub.SenderOptions{Events: []string{"kelvin"}, Units: map[string]string{"kelvin": "K"}})
	signal, err := x.Signal("kelvin")
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, s.url(), "")
	sent := newPast()
	for range 8 {
		stop, stopped := make(chan struct{}), make(chan error)
		go func() {
			for {
				v := float64(sent.n * sent.n % 10007) // so that any event that is there twice, or not, changes the mean
				if err := signal.Trigger(t.Context(), v); err != nil {
					stopped <- err
					return
				}
				sent.add(v)
				select {
				case <-stop:
					stopped <- nil
					return
				default:
				}
			}
		}()
		p.until(card("meter"))
		p.show("device", "name:meter", "meter", "kelvin")
		p.until(legendNow + `.includes("mean")`)
		close(stop)
		if err := <-stopped; err != nil {
			t.Fatal(err)
		}
		p.untilIs(legendNow, sent.legend("K"))
		p.show("")
	}
}

// onRecord returns what the hub has of an event. Of each connection of the sender, no number may be missing.
func onRecord(t *testing.T, s *server, sender, event string) *past {
	t.Helper()
	type entry struct {
		Event           string
		Data            any
		Connection, Seq uint64
	}
	all, seen, after := newPast(), make(map[uint64]uint64), ""
	for {
		var page struct {
			Events []entry
			Next   *string
		}
		answer, err := http.Get(s.url() + "api/v1/senders/" + sender + "/history?from=start" + after)
		if err != nil {
			t.Fatal(err)
		}
		err = json.NewDecoder(answer.Body).Decode(&page)
		_ = answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatal(answer.Status, err)
		}
		for _, e := range page.Events {
			if e.Event != event {
				continue
			}
			if before, ok := seen[e.Connection]; ok && e.Seq != before+1 {
				t.Errorf("after event %d of connection %d comes %d", before, e.Connection, e.Seq)
			}
			seen[e.Connection] = e.Seq
			v, ok := e.Data.(float64)
			if !ok {
				t.Fatalf("%v is no number", e.Data)
			}
			all.add(v)
		}
		if page.Next == nil {
			return all
		}
		after = "&after=" + *page.Next
	}
}

// TestCrowd: ten thousand senders leave the page usable: it shows as many as it can, and says that there are more.
func TestCrowd(t *testing.T) {
	const clients, each = 50, 200
	s := serve(t, "--config", configure(t, "serial: none\nlimits: {memory: 200MiB}\n"))
	for i := range clients {
		r := s.client(t, fmt.Sprintf("crowd %02d", i))
		for k := range each {
			addSender(t, r, fmt.Sprintf("crowd %02d %03d", i, k), hub.SenderOptions{Events: []string{"n"}})
		}
	}
	lists := s.client(t, "lists")
	if _, err := lists.RemoteSenders(t.Context()); err != nil { // it is connected
		t.Fatal(err)
	}
	const times = 10
	before := used(t, s.cmd.Process.Pid)
	for range times {
		if list, err := lists.RemoteSenders(t.Context()); err != nil || len(list) != clients*each {
			t.Fatalf("%d senders are listed: %v", len(list), err)
		}
	}
	t.Logf("a list of all takes %v of the hub's processor", (used(t, s.cmd.Process.Pid)-before)/times)
	before = used(t, s.cmd.Process.Pid)
	p := open(t, s.url(), "")
	p.until(`document.querySelectorAll(".card.device").length >= 20`)
	first := eval[float64](p, `new Promise((done) => requestAnimationFrame(() => done(performance.now())))`)
	p.untilText("There are more senders than this page shows")
	all := eval[float64](p, `performance.now()`)
	t.Logf("the first view is there after %.0f ms, all of it after %.0f ms; to open the page takes %v of the hub's processor",
		first, all, used(t, s.cmd.Process.Pid)-before)
	t.Logf("the overview draws %.0f frames a second", frames(p))
	for _, view := range []string{"losses", "clients", "thresholds", ""} {
		began := time.Now()
		p.show(view)
		p.until(`document.querySelector("main h1, main .empty") && !document.body.innerText.includes("asking the hub")`)
		t.Logf("%q is shown after %v", view, time.Since(began).Round(time.Millisecond))
	}
	p.slash()
	began := time.Now()
	p.keys("crowd 03 111")
	defer func() { t.Logf("a search takes %v, with the keys", time.Since(began).Round(time.Millisecond)) }()
	p.until(`document.querySelector("#found [role=option]")?.innerText.includes("crowd 03 111")`)
}
