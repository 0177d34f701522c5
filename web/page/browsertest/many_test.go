package browsertest

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"
)

// What the page must bear.
const (
	manyDevices = 200
	manyRate    = 25  // events a second of each
	leastFrames = 30  // a second, where the browser has had enough of a processor
	enough      = 0.5 // of one: twice of what it takes
)

// TestMany: 5,000 events a second from 200 devices leave the page responsive, and its memory where it is. What it is not told is shown.
func TestMany(t *testing.T) {
	s, devices := serveMany(t)
	p := open(t, s.url(), "")
	p.until(fmt.Sprintf(`document.querySelectorAll(".card.device").length === %d`, manyDevices))
	told := func() int {
		return eval[int](p, `[...document.querySelector(".foot").innerText.matchAll(/([\d,]+) (events heard|left out)/g)].reduce((n, m) => n + Number(m[1].replaceAll(",", "")), 0)`)
	}
	at := func(view string) {
		t.Helper()
		before, began := browserUsed(t, p), time.Now()
		rate := frames(p)
		share := (browserUsed(t, p) - before).Seconds() / time.Since(began).Seconds()
		t.Logf("%s: %.0f frames a second, with %.0f %% of a processor", view, rate, 100*share)
		if rate < leastFrames && share > enough { // else the machine was busy with something else
			t.Errorf("%s: %.1f frames a second, and %d are the least", view, rate, leastFrames)
		}
	}
	at("overview")
	settle := 13 * time.Second // the small charts have not filled yet
	if *report >= longReport {
		settle = 75 * time.Second // and now they have
	}
	time.Sleep(settle)
	devices.since()
	toldBefore, began := told(), time.Now()
	watch(t, p, s, max(*report, 20*time.Second))
	sent := devices.since().Events
	eventually(t, "many events are sent", func() bool { // a busy machine takes longer for them
		sent += devices.since().Events
		return sent > 20*manyDevices*manyRate/2
	})
	toldNow, passed := told()-toldBefore, time.Since(began).Seconds()
	t.Logf("%.0f events a second sent, %.0f told", float64(sent)/passed, float64(toldNow)/passed)
	if share := float64(toldNow) / float64(sent); share < 0.8 || share > 1.2 {
		t.Errorf("%.0f%% of the events were told, or told to be left out", share*100)
	}
	p.show("device", eval[string](p, `decodeURIComponent(`+card("device 007")+`.querySelector("h3 a").hash.slice("#/device/".length))`))
	p.until(`document.querySelector(".u-over")`)
	at("device")
	p.show("losses")
	p.until(`document.querySelector(".lostcount")`)
	at("losses")
}

// frames returns how many frames a second the browser draws, in the best of a few spans: the tests share the machine with others.
func frames(p *page) (best float64) {
	for range 5 {
		best = max(best, eval[float64](p, `new Promise((done) => {
			const began = performance.now();
			let n = 0;
			const next = () => performance.now() - began > 2000 ? done(n * 1000 / (performance.now() - began)) : (n++, requestAnimationFrame(next));
			requestAnimationFrame(next);
		})`))
		if best >= leastFrames {
			break
		}
	}
	return best
}

// A memory is what a page and its hub hold at a time.
type memory struct {
	at                    time.Duration // since it was first looked at
	heap                  float64       // of the page, after garbage was collected, in MB
	nodes, listeners, hub float64       // elements and functions of the page; MB of the hub
}

// longReport is how long a report must be at least for what it says of memory to be judged by its slope.
const longReport = 2 * time.Minute

// watch tells for a time what a page and its hub hold, and holds it against what it was.
func watch(t *testing.T, p *page, s *server, span time.Duration) {
	t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, performance.Enable, performance.EnableParams{})
		return err
	}))
	var seen []memory
	for began := time.Now(); ; time.Sleep(min(30*time.Second, span/2)) {
		m := memory{at: time.Since(began), hub: resident(t, s.cmd.Process.Pid)}
		m.look(p)
		t.Logf("after %v: the page has %.2f MB, %.0f nodes, %.0f listeners; the hub %.1f MB",
			m.at.Round(time.Second), m.heap, m.nodes, m.listeners, m.hub)
		if seen = append(seen, m); m.at >= span {
			break
		}
	}
	first, last := seen[0], seen[len(seen)-1]
	// A small chart has up to 60 points, and each may be new: that much may still come where it was not waited for.
	if grown := last.heap - first.heap; grown > 4 {
		t.Errorf("in %v the heap has grown by %.1f MB", last.at, grown)
	}
	if last.nodes > first.nodes*1.1+100 || last.listeners > first.listeners*1.1+20 {
		t.Errorf("the page has had %.0f nodes and %.0f listeners, and has %.0f and %.0f", first.nodes, first.listeners, last.nodes, last.listeners)
	}
	if span < longReport {
		return
	}
	const most = 1.0 // MB in ten minutes
	heap, hub := slope(seen, func(m memory) float64 { return m.heap }), slope(seen, func(m memory) float64 { return m.hub })
	t.Logf("in ten minutes the page grows by %.2f MB, and the hub by %.2f MB, by a line through all that was seen", heap, hub)
	if heap > most {
		t.Errorf("in ten minutes the page grows by %.2f MB, and %.0f is the most", heap, most)
	}
	if hub > 4*most {
		t.Errorf("in ten minutes the hub grows by %.2f MB, and %.0f is the most", hub, 4*most)
	}
}

// look looks at what a page holds, after garbage was collected.
func (m *memory) look(p *page) {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if _, err := cdp.Call(ctx, t, heapprofiler.CollectGarbage, cdp.Empty{}); err != nil {
			return err
		}
		all, err := cdp.Call(ctx, t, performance.GetMetrics, cdp.Empty{})
		if err != nil {
			return err
		}
		for _, metric := range all.Metrics {
			switch metric.Name {
			case "JSHeapUsedSize":
				m.heap = metric.Value / 1e6
			case "Nodes":
				m.nodes = metric.Value
			case "JSEventListeners":
				m.listeners = metric.Value
			}
		}
		return nil
	}))
}

// slope returns how much something grows in ten minutes, by the line that is nearest to what was seen.
func slope(seen []memory, of func(memory) float64) float64 {
	var n, x, y, xx, xy float64
	for _, m := range seen {
		at, v := m.at.Minutes()/10, of(m)
		n, x, y, xx, xy = n+1, x+at, y+v, xx+at*at, xy+at*v
	}
	return (n*xy - x*y) / (n*xx - x*x)
}

// resident returns how much memory a process has, in MB.
func resident(t *testing.T, pid int) float64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	text, _, ok := strings.Cut(strings.TrimSpace(rest), " kB")
	kb, err := strconv.ParseFloat(text, 64)
	if !ok || err != nil {
		t.Fatalf("VmRSS is not understood: %q", text)
	}
	return kb * 1024 / 1e6
}
