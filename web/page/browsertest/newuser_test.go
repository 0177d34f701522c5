package browsertest

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/device"
	"sighub/internal/simulator"
)

// TestNewUser: somebody who has never seen the page, in a house of eight devices, finds out which sensor is silent and since when, what was
// lost last night, and which cable is bad: each without more than one click, as soon as the hub itself can tell.
func TestNewUser(t *testing.T) {
	const shift = -8 * time.Hour // of the clock of the device in the night
	config := "serial:\n"
	port := func(path string) { config += "  - {port: " + path + `, naming: "{device}.{sender}"}` + "\n" }
	port(simulate(t, "--name", "cellar", "--rate", "30", "--fault", "to-hub.flip=4e-4,seed=7"))
	quietPath, quiet := simulateProcess(t, "--name", "attic", "--rate", "5")
	port(quietPath)
	for _, name := range []string{"kitchen", "hall", "garage", "porch", "shed"} {
		port(plug(t, name, 5, "light:lux", "weather:celsius").path)
	}
	night := newSleeper(t, "barn")
	port(night.path)
	s := serve(t, "--config", configure(t, "%s", config))

	night.report(shift-time.Hour, 3)
	eventually(t, "the night has begun", func() bool { return night.Stats().Acknowledged == 3 })
	night.line.Cut()
	const measured, room = 30, 8
	night.report(shift, measured)
	if err := night.line.Restore(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the night is over", func() bool { return night.Stats().Acknowledged == 3+room })
	_ = quiet.Signal(syscall.SIGSTOP)
	silentSince := time.Now()

	began := time.Now()
	p := open(t, s.url(), "")
	tell := func(what string, clicks int) {
		t.Helper()
		t.Logf("%s: %d clicks, %v after the page was opened", what, clicks, time.Since(began).Round(100*time.Millisecond))
		p.shot("new user, " + what)
	}
	p.until(`document.querySelector(".summary").innerText.endsWith("1 away") && document.querySelector(".card.device h3").innerText === "attic"`)
	p.until(`document.querySelector(".card.device .pill").innerText.startsWith("silent for ")`)
	if at := time.UnixMilli(eval[int64](p, `Date.parse(document.querySelector(".card.device .pill time").dateTime)`)); at.Before(silentSince.Add(-time.Second)) || at.After(time.Now()) {
		t.Errorf("it is silent since %v, and was stopped at %v", at, silentSince)
	}
	tell("which sensor is silent", 0)

	began = time.Now()
	p.press(`[...document.querySelectorAll("nav a")].find((a) => a.innerText === "Losses")`)
	p.until(`document.querySelector(".ledger").innerText === "22 events lost in 24 h"`)
	p.until(`[...document.querySelectorAll("tbody tr")].some((r) => /^barn.light\s+/.test(r.innerText) && r.innerText.includes("22 device the device had no room, or was reset"))`)
	from := eval[string](p, `document.querySelector("td[data-name=from]").innerText`)
	last := time.Now().Add(shift - time.Hour) // about when the hub last heard of the device before
	if !slices.ContainsFunc([]time.Time{last, last.Add(-10 * time.Minute)}, func(at time.Time) bool { return strings.Contains(" "+from, at.Format(" 15:")) }) {
		t.Errorf("what was lost is said to be from %s on, and the device was last heard of at %v", from, last)
	}
	tell("what was lost last night", 1)

	began = time.Now()
	p.press(`[...document.querySelectorAll("nav a")].find((a) => a.innerText === "Ports")`)
	p.until(`[...document.querySelectorAll(".card")].filter((c) => /^1 frame in \d+ is damaged/.test(c.querySelector(".doctor").innerText)).map((c) => c.querySelector("dd a").innerText).join() === "cellar"`)
	tell("which cable is bad", 1)
}

// A sleeper is a device with little room, whose readings were taken at other times.
type sleeper struct {
	*device.Device
	t    *testing.T
	line simulator.PTY
	path string
	n    atomic.Int64
}

func newSleeper(t *testing.T, name string) *sleeper {
	t.Helper()
	s := &sleeper{t: t, path: filepath.Join(t.TempDir(), "device")}
	var err error
	if s.line, err = simulator.NewPTY(s.path); err != nil {
		t.Fatal(err)
	}
	s.Device, err = device.New(s.line.Open, device.Options{
		UID: []byte(name), Name: name, Ring: 8, Overflow: device.OverflowCount,
		Senders: []device.Sender{{Name: "light", Events: []device.Event{{Name: "lux", Unit: "lx"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(ctx, deaf{})
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		_ = s.line.Close()
	})
	return s
}

// report reports readings that were taken one after the other, so long from now.
func (s *sleeper) report(from time.Duration, n int) {
	s.t.Helper()
	for i := range n {
		ticks := s.Ticks() + (from + time.Duration(i)*time.Second).Milliseconds()
		if err := s.ReportAt(s.t.Context(), ticks, "light", "lux", s.n.Add(1), nil); err != nil {
			s.t.Fatal(err)
		}
	}
}

// deaf is a device's handler; nothing is asked of the device.
type deaf struct{}

func (deaf) ClientConnected(carrier.Client)             {}
func (deaf) ClientDisconnected(carrier.ClientID, error) {}
func (deaf) AllClientsDisconnected(error)               {}
func (deaf) HandleMessage(_ carrier.ClientID, _ *carrier.Message, respond func(carrier.Reply)) {
	respond(carrier.Reply{Status: carrier.StatusNoSuchMethod})
}
