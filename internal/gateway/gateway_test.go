package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpioreg"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"sighub/hub"
	"sighub/internal/config"
)

// patience bounds every wait: much longer than anything takes on a busy machine.
const patience = time.Minute

// sense runs what a configuration says until the test ends, with the kernel's sensors at sys, and returns a function that
// waits for an event: "door open true"; and what is logged.
func sense(t *testing.T, sys, text string) (await func(want string), log fmt.Stringer) {
	t.Helper()
	cfg, err := config.Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	out := new(notes)
	logger := slog.New(slog.NewTextHandler(out, nil))
	router := hub.NewRouter(hub.Options{})
	heard := make(chan string, 1000)
	if _, err := router.AddListener("", "", func(ev hub.Event) {
		line := ev.Sender + " " + ev.Name
		if !strings.HasPrefix(ev.Name, "#") {
			line += " " + ev.Data.String()
		}
		select {
		case heard <- line:
		default: // nobody waits for so many
		}
	}); err != nil {
		t.Fatal(err)
	}
	s, err := New(&cfg.Sensing, router, sys, logger)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- s.During(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil })
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return func(want string) {
		t.Helper()
		timeout := time.After(patience)
		var last []string
		for {
			select {
			case line := <-heard:
				if last = append(last, line); line == want {
					return
				}
			case <-timeout:
				t.Fatalf("never heard %q, but %q", want, last)
			}
		}
	}, out
}

// Notes are what was logged, which may be read at any time.
type notes struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (n *notes) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.buf.Write(p)
}

func (n *notes) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.buf.String()
}

// sysTree writes a tree of files and returns where it is.
func sysTree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

var board = map[string]string{
	"class/thermal/thermal_zone0/type": "cpu-thermal\n", "class/thermal/thermal_zone0/temp": "48686\n",
	"class/hwmon/hwmon0/name": "rpi_volt\n", "class/hwmon/hwmon0/in0_input": "1250\n",
}

// TestAuto: without any configuration, a Pi's processor temperature is there.
func TestAuto(t *testing.T) {
	await, _ := sense(t, sysTree(t, board), "sensors: auto")
	await("cpu temp 48.686")
}

// TestKernelNamed: one of the kernel's may be named and calibrated; under auto the others are added, but none whose name is
// taken.
func TestKernelNamed(t *testing.T) {
	await, log := sense(t, sysTree(t, board), `
sensors:
  - auto
  - {kernel: cpu, sender: soc, period: 10ms, events: {temp: {event: heat, offset: -8.686}}}
thresholds:
  - {sender: soc, event: heat, above: 39, report: hot, as: fan}
pins:
  - {pin: NOWHERE, sender: rpi-volt}`)
	await("soc heat 40")
	await("fan hot true")
	if text := log.String(); !strings.Contains(text, "kernel=rpi-volt") || strings.Contains(text, "sender=cpu") {
		t.Error(text)
	}
}

// TestKernelNumbered: a sensor that is named by the kernel's number works, and the log says which name does not change.
func TestKernelNumbered(t *testing.T) {
	await, log := sense(t, sysTree(t, board), `
sensors:
  - auto
  - {kernel: thermal_zone0, sender: soc, period: 10ms}`)
	await("soc temp 48.686")
	if text := log.String(); !strings.Contains(text, "kernel=thermal_zone0 name=cpu") || strings.Contains(text, "sender=cpu") {
		t.Error(text)
	}
}

// TestPinOfTheConfiguration: a button to ground that bounces.
func TestPinOfTheConfiguration(t *testing.T) {
	pin := &gpiotest.Pin{N: "SIGHUB0", Num: -1, EdgesChan: make(chan gpio.Level)}
	if err := gpioreg.Register(pin); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := gpioreg.Unregister(pin.N); err != nil {
			t.Error(err)
		}
	})
	await, _ := sense(t, "", "pins: [{pin: SIGHUB0, sender: bell, event: ring, pull: up, active: low, debounce: 2ms}]")
	await("bell ring false")
	for _, level := range []gpio.Level{gpio.Low, gpio.High, gpio.Low} {
		pin.EdgesChan <- level
	}
	await("bell ring true")
}

func TestI2CBuses(t *testing.T) {
	dev := sysTree(t, map[string]string{"i2c-10": "", "i2c-2": "", "i2c-x": ""})
	list, err := I2CBuses(dev)
	if err != nil || len(list) != 2 || list[0].String() != "I2C2" || list[1].String() != "I2C10" {
		t.Errorf("%v, %v", list, err)
	}
	if _, err := openI2C(config.Bus{Kind: "i2c", Number: 65535}); err == nil || errors.Is(err, fs.ErrNotExist) ||
		!strings.Contains(err.Error(), "dtparam=i2c_arm=on") {
		t.Error(err)
	}
}

// TestSharedBus: sensors on the same bus share it, and the last one that is closed closes it.
func TestSharedBus(t *testing.T) {
	b := newBuses()
	sim, err := config.ParseBus("sim")
	if err != nil {
		t.Fatal(err)
	}
	first, err := b.openSensor(t.Context(), &config.Sensor{Driver: "tmp102", Bus: sim, Address: 0x48})
	if err != nil {
		t.Fatal(err)
	}
	second, err := b.openSensor(t.Context(), &config.Sensor{Driver: "bme280", Bus: sim, Address: 0x76})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.openSensor(t.Context(), &config.Sensor{Driver: "veml7700", Bus: sim, Address: 0x10}); err == nil {
		t.Error("a sensor that is not there was opened")
	}
	if bus := b.open["sim"]; len(b.open) != 1 || bus.users != 2 {
		t.Errorf("%+v", b.open)
	}
	if err := errors.Join(first.Close(), second.Close()); err != nil || len(b.open) != 0 {
		t.Errorf("%+v, %v", b.open, err)
	}
}
