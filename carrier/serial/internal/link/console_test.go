package link

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"sighub/carrier/serial/fault"
)

// TestBootText: what an ESP32 prints when it starts, part of it at another rate, is in the log where it can be read.
func TestBootText(t *testing.T) {
	log := new(bytes.Buffer)
	l := newTestHub(nil, func(c *HubConfig) { c.Log = slog.New(slog.NewTextHandler(log, nil)) })
	l.Receive(time.Unix(1e9, 0), append([]byte(fault.ESP32()), 0))
	for _, line := range []string{"SPI flash: 4MB", "no access point is configured", "sensor node: starting"} {
		if !strings.Contains(log.String(), line) {
			t.Errorf("%q is not in the log:\n%s", line, log)
		}
	}
	if n := strings.Count(log.String(), "device prints"); n > 8 {
		t.Errorf("%d lines were logged:\n%s", n, log)
	}
}
