package browsertest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// A burden is what a hub had to do in a time, and what others had of it.
type burden struct {
	span  time.Duration
	hub   time.Duration // of a processor
	sent  int
	other figures
}

func (b burden) share() float64 { return b.hub.Seconds() / b.span.Seconds() * 100 }

func (b burden) String() string {
	return fmt.Sprintf("%.0f events a second, the hub takes %.1f %% of a core; another listener hears\n        since they were sent: %v\n        since the hub had them: %v",
		float64(b.sent)/b.span.Seconds(), b.share(), b.other.Whole, b.other.Half)
}

// TestBurden tells what pages take of a hub, and of its other listeners: pages that do nothing but hear, and run only when nothing
// else does, show the hub's part; one in a browser on the same processors shows the whole.
func TestBurden(t *testing.T) {
	s, devices := serveMany(t)
	probe := act(t, role{What: "probe", Addr: s.addr, Every: 5 * time.Millisecond}, false)
	span := max(*report/10, 2*time.Second)
	look := func(what string) burden {
		t.Helper()
		time.Sleep(span / 5) // until it goes evenly
		devices.since()
		probe.since()
		before, began := used(t, s.cmd.Process.Pid), time.Now()
		time.Sleep(span)
		b := burden{span: time.Since(began), hub: used(t, s.cmd.Process.Pid) - before, sent: devices.since().Events, other: probe.since()}
		t.Logf("%s: %v", what, b)
		return b
	}
	type load struct{ pages, gather int }
	loads := []load{{50, pageGather}}
	if *report > 0 {
		look("without a page")
		loads = []load{{1, 0}, {1, pageGather}, {50, 0}, {50, pageGather}}
	}
	for _, c := range loads {
		what := fmt.Sprintf("%d pages that only hear, gathered for %d ms", c.pages, c.gather)
		pages := act(t, role{What: "pages", Addr: s.addr, Count: c.pages, Gather: c.gather}, true)
		began := time.Now()
		b := look(what)
		f := pages.since()
		most := int(time.Since(began)/(pageGather*time.Millisecond)) + 100 // and answers, and the last events at first
		if c.gather > 0 && f.Pieces/c.pages > most {
			t.Errorf("what is gathered comes in %d pieces, and %d are the most", f.Pieces/c.pages, most)
		}
		t.Logf("        %d of %d events are heard by each, in %d pieces", f.Events/c.pages, b.sent, f.Pieces/c.pages)
		pages.stop()
	}
	if *report == 0 {
		return
	}
	p := open(t, s.url(), "")
	p.until(fmt.Sprintf(`document.querySelectorAll(".card.device").length > %d`, manyDevices))
	before, began := browserUsed(t, p), time.Now()
	look("a page in a browser on the same processors")
	t.Logf("        the browser takes %.0f %% of a core", (browserUsed(t, p)-before).Seconds()/time.Since(began).Seconds()*100)
	eval[any](p, `location.href = "about:blank", null`)
	look("without a page again")
}

// pageGather is for how long the page has the hub gather events, in ms.
const pageGather = 50

// browserUsed returns how much of a processor's time all processes of the browser have had.
func browserUsed(t *testing.T, p *page) (all time.Duration) {
	t.Helper()
	of := map[int]int{} // the parent of each process
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has gone
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if _, rest, ok := strings.Cut(string(stat), ") "); ok {
			of[pid], _ = strconv.Atoi(strings.Fields(rest)[1])
		}
	}
	root := chromedp.FromContext(p.ctx).Browser.Process().Pid
	for pid := range of {
		for at := pid; at > 1; at = of[at] {
			if at == root {
				all += used(t, pid)
				break
			}
		}
	}
	return all
}
