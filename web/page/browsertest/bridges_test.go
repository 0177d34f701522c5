package browsertest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sighub/hub"
)

// broker runs mosquitto at a port until it is stopped, or the test ends.
func broker(t *testing.T, port string) (stop func()) {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "mosquitto.conf")
	if err := os.WriteFile(conf, []byte("listener "+port+" 127.0.0.1\nallow_anonymous true\nuser root\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path = "/usr/sbin/mosquitto" // which is not in everybody's path
	}
	c := exec.Command(path, "-c", conf)
	if err := c.Start(); err != nil {
		t.Fatalf("%v: install mosquitto, on Debian with: apt-get install mosquitto", err)
	}
	stop = func() {
		_ = c.Process.Signal(syscall.SIGKILL)
		_ = c.Wait()
	}
	t.Cleanup(stop)
	return stop
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// TestBridges: of a bridge whose broker is away the page says so, where people look first and in its view, with what to do and what waits;
// and that all is passed on when the broker is there.
func TestBridges(t *testing.T) {
	port := freePort(t)
	s := serve(t, "--config", configure(t, "serial: none\nbridges:\n  mqtt: {url: 'mqtt://127.0.0.1:%s', name: house}\n", port))
	x := addSender(t, s.client(t, "porch"), "lamp", hub.SenderOptions{Events: []string{"lux"}})
	for i := range 5 {
		x.send("lux", i)
	}
	p := open(t, s.url(), "")
	p.until(`document.querySelector("main .doctor.bad")?.innerText.startsWith("The bridge house is not connected for")`)
	p.click(`main .doctor.bad a`)
	p.until(`document.querySelector("h1").innerText === "Bridges"`)
	p.untilText("0 bridges connected, 1 not")
	p.until(`/refused: .*broker.* events wait/is.test(document.querySelector(".doctor.bad").innerText)`)
	fact := func(name string) string {
		return fmt.Sprintf(`[...document.querySelectorAll(".facts div")].find(d => d.querySelector("dt").innerText === %q).querySelector("dd").innerText`, name)
	}
	if to := eval[string](p, fact("to")); !strings.Contains(to, "127.0.0.1:"+port) {
		t.Errorf("it goes to %s", to)
	}
	if waiting := eval[int](p, "Number("+fact("waiting")+")"); waiting < 5 {
		t.Errorf("%d events wait", waiting)
	}
	stop := broker(t, port)
	p.until(`document.querySelector(".card .pill.good")?.innerText.startsWith("connected for")`)
	p.until(`/^All is passed on: \d+ events/.test(document.querySelector(".doctor.good")?.innerText)`)
	p.until(fact("waiting") + ` === "0"`)
	if sent := eval[int](p, "Number("+fact("passed on")+")"); sent < 5 {
		t.Errorf("%d events are passed on", sent)
	}
	p.show("")
	p.until(`document.querySelector(".card.device") && !document.querySelector("main .doctor")`)
	stop()
	p.until(`document.querySelector("main .doctor.bad")?.innerText.startsWith("The bridge house is not connected for")`)
}

// TestNoBridge: a hub without bridges says what one is for, and how to have one.
func TestNoBridge(t *testing.T) {
	p := open(t, serve(t).url(), "bridges")
	p.untilText("The hub has no bridge")
	p.untilText("mqtt: mqtt://broker.example")
}

// TestLog: the log is there by level, and of a device alone, harmless whatever strangers have put into it.
func TestLog(t *testing.T) {
	b := plug(t, "barn", 5, "light:lux")
	s := serve(t, "--serial", b.path)
	s.client(t, "<img src=x onerror=alert(1)>")
	s.client(t, "turned\u202e") // which the hub refuses
	p := open(t, s.url(), "log")
	line := func(parts ...string) string {
		all := `[...document.querySelectorAll(".log tr")].some(r => true`
		for _, part := range parts {
			all += fmt.Sprintf(" && r.innerText.includes(%q)", part)
		}
		return all + ")"
	}
	p.until(line("info", "device connected", "device=barn", "port="+b.path))
	p.until(line("client connected", "<img src=x onerror=alert(1)>"))
	p.until(line("warn", "a hello is refused", `"turned\u202e"`))
	if eval[bool](p, `Boolean(document.querySelector("main img"))`) {
		t.Error("a name has become an image")
	}
	b.cut()
	p.choose("warnings")
	p.until(line("warn", "port lost") + ` && !` + line("client connected"))
	p.choose("errors")
	p.untilText("No such line.")
	p.choose("all")
	p.focus(".bar input")
	p.keys("device=barn gone")
	p.until(line("device gone") + ` && document.querySelectorAll(".log tr").length === 1`)
	p.show("")
	p.until(card("barn"))
	p.click(".card.device.away h3 a")
	p.untilText("Its log")
	p.until(line("port lost") + ` && ` + line("device gone") + ` && !` + line("<img"))
	p.choose("warnings")
	p.until(line("port lost") + ` && !` + line("device connected"))
}

// TestLogFilter: what the filter looks for is found among all lines that the hub keeps.
func TestLogFilter(t *testing.T) {
	config := "serial:\n"
	for i := range 250 { // more ports with trouble than an answer of the hub has lines
		config += fmt.Sprintf("  - port: /dev/absent%d\n", i)
	}
	p := open(t, serve(t, "--config", configure(t, "%s", config)).url(), "log")
	p.until(`document.querySelectorAll(".log tr").length === 200 && !document.querySelector(".log").innerText.includes("listening")`)
	p.focus(".bar input")
	p.keys("LISTENING tcp://")
	p.until(`document.querySelectorAll(".log tr").length === 1 && document.querySelector(".log").innerText.includes("listening")`)
}
