package gateway

import (
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"sighub/carrier/serial/port"
	"sighub/internal/config"
)

// TestTrial: a format is found, said with the line for the file, and used from then on.
func TestTrial(t *testing.T) {
	device, line := net.Pipe()
	go func() {
		for _, text := range []string{"p:1\n", strings.Repeat("temp:21.5,hum:40\n", 6), "temp:22,hum:nan\n"} {
			if _, err := io.WriteString(device, text); err != nil {
				return
			}
		}
		_ = device.Close()
	}()
	opens := 0
	var got []string
	trial := Trial{
		Port: config.Port{Port: "/dev/ttyUSB0", Baud: 9600}, Count: 8,
		Report: func(line string) { got = append(got, line) },
		open: func() (port.Port, error) {
			opens++
			return line, nil
		},
	}
	if err := trial.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	const entry = "  - {port: /dev/ttyUSB0, baud: 9600, speaks: lines, format: pairs, sender: ttyUSB0}"
	if opens != 1 || !slices.Contains(got, entry) || !slices.Contains(got, "looks like pairs: temp, hum; to serve it, write under serial:") {
		t.Errorf("%d, %q", opens, got)
	}
	if last := got[len(got)-1]; !strings.Contains(last, "→ temp = 22, refused: the device has no value") {
		t.Errorf("%q", last)
	}
	if _, err := config.Parse("x", []byte("serial:\n"+entry+"\n")); err != nil {
		t.Error(err)
	}
}

// TestRecognize: what a port prints is told with the entry that serves it, which the configuration takes.
func TestRecognize(t *testing.T) {
	for text, want := range map[string]string{
		"temp:21.5 hum:40\n": "{port: /dev/ttyUSB0, baud: 9600, speaks: lines, format: pairs, sender: ttyUSB0}",
		"21,5;40\n22,5;41\n": "{port: /dev/ttyUSB0, baud: 9600, speaks: lines, format: csv, columns: [value1, value2], decimal: comma, sender: ttyUSB0}",
	} {
		looks, remedy, ok := Recognize("/dev/ttyUSB0", 9600, text)
		if !ok || looks == "" || !strings.HasSuffix(remedy, want) {
			t.Errorf("%q: %q, %q", text, looks, remedy)
		}
		if _, err := config.Parse("x", []byte("serial: ["+want+"]\n")); err != nil {
			t.Error(err)
		}
	}
	if _, remedy, ok := Recognize("/dev/a b", 0, "512\n"); !ok || !strings.Contains(remedy, `{port: "/dev/a b", speaks: lines, format: number, sender: a b}`) {
		t.Error(remedy)
	}
	if _, _, ok := Recognize("/dev/x", 0, "hello\n"); ok {
		t.Error("hello is recognised")
	}
}
