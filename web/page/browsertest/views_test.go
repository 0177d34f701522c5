package browsertest

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sighub/hub"
)

// TestNothingYet: a hub at which nothing is connected says what to do.
func TestNothingYet(t *testing.T) {
	s := serve(t)
	p := open(t, s.url(), "")
	p.untilText("Nothing is here yet")
	p.untilText("sighub simulate --pty")
	p.untilText("The hub has no serial port")
	p.show("ports")
	p.untilText("The hub has no serial port")
	p.show("thresholds")
	p.untilText("No threshold has reported yet")
	p.show("journal")
	p.untilText("1.0 GiB")
	p.show("nonsense", "x")
	p.untilText("There is no such view")
}

// TestOverview: the page shows the values that were sent, with units and ages; a cut cable is seen at once, and harms nobody else.
func TestOverview(t *testing.T) {
	a, b := plug(t, "cellar", 5, "light:lux", "temperature:celsius"), plug(t, "roof", 5, "light:lux")
	s := serve(t, "--config", configure(t, `
serial:
  - {port: %s, naming: "{device}.{sender}"}
  - {port: %s, naming: "{device}.{sender}"}
`, a.path, b.path))
	p := open(t, s.url(), "")
	p.until(row("cellar", "light lux") + `?.querySelector(".value").innerText.includes("lx")`)
	p.until(row("cellar", "temperature celsius") + `?.querySelector(".value").innerText.includes("°C")`)
	p.until(row("cellar", "light lux") + `.querySelector(".age").innerText.startsWith("now")`)
	p.until(card("roof") + `?.querySelector(".pill").innerText.startsWith("connected for")`)

	door := addSender(t, s.client(t, "doorbell"), "door", hub.SenderOptions{Events: []string{"angle", "state"}, Units: map[string]string{"angle": "deg"}})
	for _, v := range []any{12.25, -0.5, 1204331, 1e-7} {
		door.send("angle", v)
		want := map[any]string{12.25: "12.25°", -0.5: "-0.5°", 1204331: "1,204,331°", 1e-7: "1e-7°"}[v]
		p.until(fmt.Sprintf(`%s?.querySelector(".value").innerText === %q`, row("doorbell", "door angle"), want))
	}
	door.send("state", map[string]any{"open": true})
	p.until(row("doorbell", "door state") + `.querySelector(".value").innerText === '{"open":true}'`)

	a.cut()
	p.until(card("cellar") + `?.querySelector(".pill").innerText.startsWith("away: unplugged")`)
	if text := eval[string](p, card("roof")+`.querySelector(".pill").innerText`); !strings.HasPrefix(text, "connected") {
		t.Errorf("the other device is %q", text)
	}
	p.untilIs(`document.querySelector(".card.device h3").innerText`, "cellar") // what needs to be looked at comes first
	p.untilText("1 away")
	time.Sleep(3 * time.Second) // so that what is measured meanwhile is late
	a.mend()
	p.until(card("cellar") + `?.querySelector(".pill").innerText.startsWith("connected")`)
	p.until(row("cellar", "light lux") + `.querySelector(".age").innerText === "now"`)
	door.Remove()
	p.untilText("1 program that ended")
}

// TestHistory: a chart has what was put in: its extremes, gaps where nothing was measured, late readings at their own time.
func TestHistory(t *testing.T) {
	s := serve(t)
	probe := addSender(t, s.client(t, "lab"), "probe", hub.SenderOptions{Events: []string{"depth"}, Units: map[string]string{"depth": "m"}})
	now := time.Now()
	low, high, sum, n := math.Inf(1), math.Inf(-1), 0.0, 0
	put := func(at time.Time, v float64) {
		probe.sendAt("depth", v, at)
		low, high, sum, n = min(low, v), max(high, v), sum+v, n+1
	}
	for i := range 100 { // from 14 to 9 minutes ago, and one spike
		v := 10 + float64(i%10)
		if i == 50 {
			v = 4711.5
		}
		put(now.Add(-14*time.Minute+time.Duration(i)*3*time.Second), v)
	}
	for i := range 40 { // from 4 to 2 minutes ago: a gap of five minutes before
		put(now.Add(-4*time.Minute+time.Duration(i)*3*time.Second), 20+float64(i%3))
	}
	p := open(t, s.url(), "device/name%3Alab")
	legend := func(low, mean, high float64) string {
		text := func(v float64) string {
			return strings.TrimSuffix(withCommas(strconv.FormatFloat(v, 'g', 6, 64)), ".0")
		}
		return fmt.Sprintf("min %s mean %s max %s m", text(low), text(mean), text(high))
	}
	says := func(want string) {
		t.Helper()
		p.until(fmt.Sprintf(`document.querySelector(".legend")?.innerText.replace(/\s+/g, " ").trim() === %q`, want))
	}
	says(legend(low, sum/float64(n), high))
	put(now.Add(-7*time.Minute), 5) // it was on its way for long
	says(legend(low, sum/float64(n), high))
	put(time.Now(), 30)
	says(legend(low, sum/float64(n), high))

	// Of the pixels of the curve: none in the gaps from -9 to -7 and -7 to -4 minutes, some before, between and after.
	ink := func(from, to time.Duration) int {
		return eval[int](p, fmt.Sprintf(`(() => {
			const u = document.querySelector(".u-over").getBoundingClientRect(), c = document.querySelector(".plot canvas"), k = c.width / c.getBoundingClientRect().width;
			const left = u.left - c.getBoundingClientRect().left, span = 900, x = (s) => (left + (1 + s / span) * u.width) * k;
			const copy = document.createElement("canvas");
			copy.width = c.width, copy.height = c.height;
			const g = copy.getContext("2d", {willReadFrequently: true});
			g.drawImage(c, 0, 0);
			const from = Math.round(x(%f)), to = Math.round(x(%f)), d = g.getImageData(from, 0, to - from, c.height).data;
			let n = 0; // points of the colour of the curve, and not of the grid or of texts
			for (let i = 0; i < d.length; i += 4) if (d[i + 3] > 100 && d[i + 1] - d[i] > 60) n++;
			return n;
		})()`, from.Seconds(), to.Seconds()))
	}
	for _, c := range []struct {
		from, to time.Duration
		drawn    bool
	}{{-13 * time.Minute, -10 * time.Minute, true}, {-8*time.Minute - 30*time.Second, -7*time.Minute - 15*time.Second, false},
		{-7*time.Minute - 10*time.Second, -6*time.Minute - 45*time.Second, true}, {-6 * time.Minute, -4*time.Minute - 25*time.Second, false}, {-4 * time.Minute, -150 * time.Second, true}} {
		eventually(t, fmt.Sprintf("from %s to %s the curve is drawn: %t", c.from, c.to, c.drawn), func() bool { return (ink(c.from, c.to) > 0) == c.drawn })
	}

	// Longer spans are summed up by the hub, and go on with what happens.
	for _, span := range []string{"6 h", "24 h", "30 d", "1 y"} {
		p.choose(span)
		p.until(`document.querySelector(".chart").dataset.step > 0 && !document.querySelector(".legend").innerText.includes("reading")`)
		says(legend(low, sum/float64(n), high))
	}
	p.show("device", "name:lab", "probe", "depth")
	p.untilText("sighub history --from 15m probe depth")
	says(legend(low, sum/float64(n), high))
	put(time.Now(), -3)
	says(legend(low, sum/float64(n), high))

	// By keys: zoom in, and back.
	p.click(".ranges button")
	p.focus(".plot")
	p.keys("+")
	p.until(`[...document.querySelectorAll(".ranges button")].some(b => b.innerText === "back")`)
	p.key("left")
	p.until(`document.querySelector(".ranges").innerText.includes(" to ")`)
}

func withCommas(text string) string {
	whole, rest, dot := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if dot {
		whole += "." + rest
	}
	return whole
}

// lineIsWell: the page says that a line is undamaged. A busy machine may answer late on it, so that frames are sent again.
const lineIsWell = `/All is well: none of|is sent again, though few arrive damaged/.test(document.body.innerText)`

// TestRequests: a button asks a device, and the answer is what the device has; the command line is the same.
func TestRequests(t *testing.T) {
	b := plug(t, "shed", 2, "light:lux")
	s := serve(t, "--serial", b.path)
	p := open(t, s.url(), "")
	p.until(card("shed"))
	p.click(".card.device h3 a")
	p.click(".requests button")
	p.until(`document.querySelector(".answer pre")?.innerText.match(/^\d+$/)`)
	p.untilText("sighub request light read")
	p.untilText("answered in")
	p.until(lineIsWell)
}

// TestPorts: a port says how its line is, and what to do.
func TestPorts(t *testing.T) {
	b := plug(t, "attic", 20, "light:lux")
	s := serve(t, "--serial", b.path, "--serial", t.TempDir()+"/nothing*")
	p := open(t, s.url(), "ports")
	p.until(lineIsWell)
	p.untilText("attic")
	p.untilText("no such port is there: plug the device in")
	b.cut()
	p.until(`[...document.querySelectorAll(".card .pill")].some(x => /^(absent|failed) for/.test(x.innerText))`)
	b.mend()
	p.until(`[...document.querySelectorAll(".card .pill")].some(x => x.innerText.startsWith("connected for"))`)
}

// simulate runs a simulated device until the test ends, and returns the path of its port.
func simulate(t *testing.T, args ...string) string {
	path, _ := simulateProcess(t, args...)
	return path
}

func simulateProcess(t *testing.T, args ...string) (path string, p *os.Process) {
	t.Helper()
	device := exec.Command(program, append([]string{"simulate", "--pty"}, args...)...)
	said := &syncBuffer{}
	device.Stdout = said
	if err := device.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = device.Process.Signal(syscall.SIGCONT)
		_ = device.Process.Signal(syscall.SIGTERM)
		_ = device.Wait()
	})
	eventually(t, "the device has a port", func() bool { return strings.Contains(said.String(), "/device\n") })
	return strings.TrimSpace(said.String()), device.Process
}

// TestPrints: of a device that prints text, the page says what to write to serve it; and what it says is right.
func TestPrints(t *testing.T) {
	path := simulate(t, "--speaks", "pairs", "--rate", "5")
	s := serve(t, "--serial", path)
	p := open(t, s.url(), "ports")
	p.untilText("looks like pairs")
	p.focus(".doctor input")
	p.keys("shed, {#} ")
	p.untilText("sender: shed}")
	entry := eval[string](p, `document.querySelector(".doctor .command code").innerText`)
	if !strings.Contains(entry, "port: auto") || !strings.Contains(entry, path) {
		t.Errorf("the page says to write %q", entry)
	}
	s.stop(syscall.SIGTERM)
	p.expect("WebSocket")
	p.expect("net::ERR_")
	s.args = []string{"--config", configure(t, "%s", strings.Replace(entry, "port: auto", "port: /nothing*", 1))}
	s.start()
	p.show("")
	p.untilText("shed")
	p.until(`document.querySelector(".card.device .value.number")`)
}

// TestDoctor: of a line that damages frames, the page says so, and what to do.
func TestDoctor(t *testing.T) {
	s := serve(t, "--serial", simulate(t, "--name", "shaky", "--rate", "20", "--fault", "to-hub.flip=4e-4,seed=7"))
	p := open(t, s.url(), "ports")
	p.until(`/^1 frame in \d+ is damaged: a shorter or shielded cable, or 57600 baud\. Nothing is lost/.test(document.querySelector(".doctor")?.innerText)`)
	share := eval[float64](p, `Number(document.querySelector(".doctor").innerText.match(/in (\d+)/)[1])`)
	ports := eval[string](p, `document.querySelector(".facts.grid").innerText`)
	var frames, damaged float64
	lines := strings.Split(ports, "\n")
	for i, line := range lines[:len(lines)-1] {
		n, _ := strconv.ParseFloat(strings.ReplaceAll(lines[i+1], ",", ""), 64)
		switch line {
		case "frames":
			frames = n
		case "bad frames":
			damaged = n
		}
	}
	if damaged == 0 || share < (frames+damaged)/damaged/3 || share > (frames+damaged)/damaged*3 {
		t.Errorf("1 in %v, with %v frames and %v damaged", share, frames, damaged)
	}
}

// TestWhichCable: of two devices, the page tells within a minute which one has a bad cable, also if the other's line was damaged when the hub
// was started again; and which one is silent.
func TestWhichCable(t *testing.T) {
	dirty := simulate(t, "--name", "dirty", "--rate", "30", "--fault", "to-hub.flip=4e-4,seed=7")
	clean := plug(t, "clean", 30, "light:lux")
	quietPath, quiet := simulateProcess(t, "--name", "quiet", "--rate", "5")
	s := serve(t, "--config", configure(t, `
serial:
  - {port: %s, naming: "{device}.{sender}"}
  - {port: %s, naming: "{device}.{sender}"}
  - {port: %s, naming: "{device}.{sender}"}
`, dirty, clean.path, quietPath))
	p := open(t, s.url(), "ports")
	p.expect("WebSocket")
	p.expect("net::ERR_")
	said := func(name string) string {
		return fmt.Sprintf(`[...document.querySelectorAll(".card")].find(c => c.querySelector("dd a")?.innerText === %q)?.querySelector(".doctor").innerText`, name)
	}
	p.until("!" + said("clean") + `.match(/ (is|were) damaged/)`) // a busy machine may answer late, so that it sends again
	s.stop(syscall.SIGKILL)                                       // in the middle of frames
	time.Sleep(3 * time.Second)
	s.start()
	p.until(`!document.querySelector(".banner")`)
	eval[any](p, "location.reload(), null") // who comes now has seen nothing of that
	p.until(said("dirty") + `.match(/^1 frame in \d+ is damaged/)`)
	p.until("!" + said("clean") + `.match(/ (is|were) damaged/)`) // a busy machine may answer late, so that it sends again
	_ = quiet.Signal(syscall.SIGSTOP)
	p.until(said("quiet") + `.match(/^quiet was here, and has been silent for/)`)
	p.show("")
	p.until(card("quiet") + `?.querySelector(".pill").innerText.startsWith("silent for")`)
}

// TestLosses: the ledger has each loss, with its number, cause and time.
func TestLosses(t *testing.T) {
	s := serve(t)
	r := s.client(t, "clock")
	tick := addSender(t, r, "tick", hub.SenderOptions{Events: []string{"n"}})
	p := open(t, s.url(), "losses")
	p.until(`document.querySelector(".lostcount")?.innerText === "0" && document.querySelector("tbody tr")`) // it listens
	for i := range 7 {
		tick.send("n", i)
	}
	signal, err := tick.Signal("n")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := signal.TriggerAt(t.Context(), 1, time.Now().Add(-20*365*24*time.Hour), 0); err == nil {
			t.Fatal("a time twenty years ago is taken")
		}
	}
	p.until(`document.querySelector(".lostcount").innerText === "3"`)
	for _, span := range []string{"since the page was opened", "all on record"} {
		p.choose(span)
		p.until(`document.querySelector(".lostcount").innerText === "3"`)
		p.until(`[...document.querySelectorAll("tbody tr")].some(r => r.innerText.includes("tick") && r.innerText.includes("3 time"))`)
	}
	p.until(`/^3\s+of\s+\d+\s+events on record/.test(document.querySelector(".ledger").innerText)`)
	p.show("")
	p.until(card("clock") + `?.querySelector("footer").innerText.includes("3 events lost")`)
}

// TestOthers: clients, thresholds and the journal are told as the hub has them.
func TestOthers(t *testing.T) {
	s := serve(t, "--config", configure(t, `
thresholds:
  - {sender: light, event: lux, below: 10, until: 15, report: "#dark"}
`))
	r := s.client(t, "window")
	light := addSender(t, r, "light", hub.SenderOptions{Events: []string{"lux"}})
	light.send("lux", 100)
	p := open(t, s.url(), "thresholds")
	p.untilText("none is crossed")
	p.until(`document.querySelector("td[data-name=limit]").innerText === "light lux below 10 until 15" && document.querySelector("td[data-name=now]").innerText === "100"`)
	light.send("lux", 5)
	p.untilText("1 threshold crossed")
	light.send("lux", 20)
	p.untilText("none is crossed")
	p.show("clients")
	p.until(`[...document.querySelectorAll("tbody tr")].some(r => r.innerText.includes("window"))`)
	p.until(`[...document.querySelectorAll("tbody tr")].some(r => r.innerText.includes("page"))`)
	p.show("journal")
	p.untilText("all is kept")
	p.untilText("on record")
}

// TestLostHub: the page says that the hub is gone, and since when, and goes on by itself when it is back.
func TestLostHub(t *testing.T) {
	s := serve(t)
	x := addSender(t, s.client(t, "steady"), "pulse", hub.SenderOptions{Events: []string{"n"}})
	x.send("n", 41)
	p := open(t, s.url(), "")
	p.expect("WebSocket")
	p.expect("net::ERR_")
	p.until(row("steady", "pulse n") + `?.querySelector(".value").innerText === "41"`)
	s.stop(syscall.SIGKILL)
	p.untilText("The hub is not reached for")
	p.untilText("what you see is from before")
	p.until(`document.querySelector(".connection").innerText === "no connection" || document.querySelector(".connection").innerText.startsWith("connecting")`)
	if text := eval[string](p, row("steady", "pulse n")+`.querySelector(".value").innerText`); text != "41" {
		t.Errorf("the last value is %q", text)
	}
	s.start()
	p.until(`document.querySelector(".connection").innerText === "live" && !document.querySelector(".banner")`)
	eventually(t, "the sender is there again", func() bool {
		signal, err := x.Signal("n")
		return err == nil && signal.Trigger(t.Context(), 42) == nil
	})
	p.until(row("steady", "pulse n") + `?.querySelector(".value").innerText === "42"`)
}

// TestHidden: while nobody sees the page, the hub tells it nothing.
func TestHidden(t *testing.T) {
	s := serve(t)
	r := s.client(t, "busy")
	x := addSender(t, r, "x", hub.SenderOptions{Events: []string{"n"}})
	p := open(t, s.url(), "")
	x.send("n", 1)
	p.until(row("busy", "x n") + `?.querySelector(".value").innerText === "1"`)
	hide := func(hidden bool) {
		eval[any](p, fmt.Sprintf(`Object.defineProperty(document, "hidden", {configurable: true, get: () => %v}), document.dispatchEvent(new Event("visibilitychange")), null`, hidden))
	}
	listeners := func() int {
		list, err := r.RemoteClients(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range list.Clients {
			if c.Name == "page" {
				return c.Listeners
			}
		}
		return -1
	}
	hide(true)
	eventually(t, "the page listens no more", func() bool { return listeners() == 0 })
	x.send("n", 2)
	hide(false)
	eventually(t, "the page listens again", func() bool { return listeners() == 1 })
	p.until(row("busy", "x n") + `?.querySelector(".value").innerText === "2"`) // from the journal
}
