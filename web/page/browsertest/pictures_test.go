package browsertest

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	cdpage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"sighub/hub"
)

// TestPictures draws the pictures of the documentation. Without -pictures, it only shows that it can.
func TestPictures(t *testing.T) {
	dir, fill := *pictures, 40*time.Second // until the small charts have something
	if dir == "" {
		dir, fill = t.TempDir(), 0
	}
	greenhouse, cellar := plug(t, "greenhouse", 4, "light:lux", "temperature:celsius"), plug(t, "cellar", 1, "temperature:celsius", "lamp:lux")
	s := serve(t, "--config", configure(t, `
serial:
  - {port: %s, naming: "{device}.{sender}"}
  - {port: %s, naming: "{device}.{sender}"}
thresholds:
  - {sender: greenhouse.light, event: lux, below: 300, until: 320, report: "#dark"}
`, greenhouse.path, cellar.path))
	r := s.client(t, "weather")
	air := addSender(t, r, "air", hub.SenderOptions{Events: []string{"celsius", "hectopascal"}, Units: map[string]string{"celsius": "Cel", "hectopascal": "hPa"}})
	now := time.Now()
	for at := now.Add(-24 * time.Hour); at.Before(now); at = at.Add(2 * time.Minute) {
		if gap := now.Sub(at); gap > 5*time.Hour && gap < 6*time.Hour+20*time.Minute {
			continue
		}
		x := float64(at.Unix()) / 86400 * 2 * math.Pi
		air.sendAt("celsius", math.Round((9+6*math.Sin(x-2)+math.Sin(x*9)+0.4*math.Sin(x*131))*100)/100, at)
		air.sendAt("hectopascal", math.Round((1013+4*math.Sin(x*.8)+0.3*math.Sin(x*23))*10)/10, at)
	}
	p := open(t, s.url(), "")
	p.until(card("cellar"))
	time.Sleep(fill)
	size := 0
	picture := func(name string) {
		t.Helper()
		time.Sleep(1500 * time.Millisecond)
		p.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			shot, err := cdp.Call(ctx, target, cdpage.CaptureScreenshot, cdpage.CaptureScreenshotParams{Format: cdpage.CaptureScreenshotFormatWebp, Quality: new(int64(80))})
			if err != nil {
				return err
			}
			if len(shot.Data) < 5000 {
				t.Errorf("the picture %s has %d bytes", name, len(shot.Data))
			}
			size += len(shot.Data)
			return os.WriteFile(filepath.Join(dir, name+".webp"), shot.Data, 0o644)
		}))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	p.look(1180, 640, "light")
	picture("overview")
	p.show("device", "name:weather", "air", "celsius")
	p.choose("24 h")
	p.until(`document.querySelector(".legend")?.innerText.includes("mean")`)
	picture("history")
	p.look(1180, 640, "dark")
	p.show("ports")
	p.until(`document.querySelectorAll(".doctor").length === 2`)
	time.Sleep(fill / 4)
	picture("ports")
	p.look(390, 760, "dark")
	cellar.cut()
	p.show("")
	p.until(card("cellar") + `?.querySelector(".pill").innerText.startsWith("away")`)
	picture("phone")
	if size > 600_000 {
		t.Errorf("the pictures have %d bytes together", size)
	}
}
