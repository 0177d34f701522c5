package browsertest

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	cdpage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"sighub/hub"
)

// TestFrozen: a browser freezes a tab that was hidden for minutes, and then it runs nothing and answers nothing. When somebody sees the tab
// again, it is right, whatever has come, gone and happened meanwhile, also if the hub was started again with other devices.
func TestFrozen(t *testing.T) {
	const minutes, events, each = 10, 6000, 100 * time.Millisecond
	s := serve(t)
	x := addSender(t, s.client(t, "stays"), "stays", hub.SenderOptions{Events: []string{"n"}})
	signal, err := x.Signal("n")
	if err != nil {
		t.Fatal(err)
	}
	goes := visitor(t, s, "goes")
	began := time.Now().Add(-minutes * time.Minute)
	x.sendAt("n", -1, began)
	p := open(t, s.url(), "device/name%3Astays")
	p.expect("WebSocket")
	p.expect("net::ERR_")
	p.until(`document.querySelector(".legend").innerText.startsWith("min -1")`)
	eval[any](p, `window.ran = 0, setInterval(() => window.ran++, 20), null`)
	p.life(cdpage.SetWebLifecycleStateStateFrozen)
	frozen := time.Now()
	for i := range events {
		if err := signal.TriggerAsyncAt(t.Context(), i, began.Add(time.Duration(i)*each), 0, nil); err != nil {
			t.Fatal(err)
		}
	}
	x.send("n", 6500) // and so the others are acknowledged
	goes()
	s.stop(syscall.SIGKILL)
	s.start()
	comes := visitor(t, s, "comes")
	defer comes()
	eventually(t, "the sender is there again", func() bool { return signal.Trigger(t.Context(), 7) == nil })
	time.Sleep(time.Until(frozen.Add(3 * time.Second))) // only real time shows that the tab does not run
	p.life(cdpage.SetWebLifecycleStateStateActive)
	if ran, most := eval[int](p, `window.ran`), int(time.Since(frozen)/(20*time.Millisecond))/2; ran > most {
		t.Fatalf("the tab ran %d times, so it was not frozen", ran)
	}
	eval[any](p, `Object.defineProperty(document, "hidden", {configurable: true, get: () => false}), document.dispatchEvent(new Event("visibilitychange")), null`) // this browser has no window that could be shown again
	p.until(`/^min -1 mean [\d,.]+ max 6,500$/.test(` + legendNow + `)`)
	p.until(`document.querySelector(".panel .value").innerText === "7"`)
	p.show("")
	p.until(anyCard("comes") + `?.querySelector(".pill").textContent.startsWith("connected for ")`)
	p.until(anyCard("goes") + `?.querySelector(".pill").textContent.startsWith("gone")`) // why, the hub may not have known before it was killed
}

// life freezes the tab, which hides it, or has it run again.
func (p *page) life(state cdpage.SetWebLifecycleStateState) {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, cdpage.SetWebLifecycleState, cdpage.SetWebLifecycleStateParams{State: state})
		return err
	}))
}
