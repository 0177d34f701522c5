package browsertest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"sighub/hub"
)

// What the page must bear.
const (
	manyDevices = 200
	manyRate    = 25 // events a second of each
	leastFrames = 30 // a second
)

// TestMany: 5,000 events a second from 200 devices leave the page responsive, and its memory where it is. What it is not told is shown.
func TestMany(t *testing.T) {
	s := serve(t)
	ctx, stop := context.WithCancel(context.Background())
	var sending sync.WaitGroup
	defer sending.Wait()
	defer stop()
	var sent atomic.Int64
	for i := range manyDevices {
		name := fmt.Sprintf("device %03d", i)
		x := addSender(t, s.client(t, name), name+".probe", hub.SenderOptions{Events: []string{"volt"}, Units: map[string]string{"volt": "V"}})
		signal, err := x.Signal("volt")
		if err != nil {
			t.Fatal(err)
		}
		sending.Go(func() {
			tick := time.NewTicker(time.Second / manyRate)
			defer tick.Stop()
			for n := 0; ; n++ {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					_ = signal.TriggerAsync(ctx, float64(n%1000)/10, func(err error) {
						if err == nil {
							sent.Add(1)
						}
					})
				}
			}
		})
	}
	p := open(t, s.url(), "")
	p.until(fmt.Sprintf(`document.querySelectorAll(".card.device").length === %d`, manyDevices))
	told := func() int {
		return eval[int](p, `[...document.querySelector(".foot").innerText.matchAll(/([\d,]+) (events heard|left out)/g)].reduce((n, m) => n + Number(m[1].replaceAll(",", "")), 0)`)
	}
	// frames returns how many frames a second the browser draws, in the best of a few spans: the tests share the machine with others.
	frames := func() (best float64) {
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
	heap := func() float64 {
		var used float64
		p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			if _, err := cdp.Call(ctx, t, heapprofiler.CollectGarbage, cdp.Empty{}); err != nil {
				return err
			}
			usage, err := cdp.Call(ctx, t, runtime.GetHeapUsage, cdp.Empty{})
			if err == nil {
				used = usage.UsedSize
			}
			return err
		}))
		return used
	}
	at := func(view string) {
		t.Helper()
		rate := frames()
		t.Logf("%s: %.0f frames a second", view, rate)
		if rate < leastFrames {
			t.Errorf("%s: %.1f frames a second, and %d are the least", view, rate, leastFrames)
		}
	}
	at("overview")
	time.Sleep(65 * time.Second / 5) // the small charts have not filled yet
	before, toldBefore, sentBefore, began := heap(), told(), sent.Load(), time.Now()
	time.Sleep(20 * time.Second)
	after, toldAfter, sentAfter := heap(), told(), sent.Load()
	passed := time.Since(began).Seconds()
	t.Logf("%.0f events a second sent, %.0f told; heap %.1f MB, then %.1f MB", float64(sentAfter-sentBefore)/passed, float64(toldAfter-toldBefore)/passed, before/1e6, after/1e6)
	if rate := float64(sentAfter-sentBefore) / passed; rate < manyDevices*manyRate*0.6 {
		t.Errorf("only %.0f events a second were sent: this machine is too busy for the test", rate)
	}
	// A small chart has up to 60 points, and each may be new: that much may still come.
	if grown := after - before; grown > 4e6 {
		t.Errorf("in %.0f s the heap has grown by %.1f MB", passed, grown/1e6)
	}
	if share := float64(toldAfter-toldBefore) / float64(sentAfter-sentBefore); share < 0.8 || share > 1.2 {
		t.Errorf("%.0f%% of the events were told, or told to be left out", share*100)
	}
	p.show("device", "name:device 007")
	p.until(`document.querySelector(".u-over")`)
	at("device")
	p.show("losses")
	p.until(`document.querySelector(".lostcount")`)
	at("losses")
}
