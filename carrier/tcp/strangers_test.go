package tcp

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestStrangers: programs that speak another protocol are told apart by what they say first.
func TestStrangers(t *testing.T) {
	for first, want := range map[string]string{
		"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n": "HTTP",
		"POST / HTTP/1.0\r\n":                      "HTTP",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":         "HTTP",
		"\x16\x03\x01\x02\x00\x01\x00":             "TLS",
		"SSH-2.0-OpenSSH_9.6\r\n":                  "SSH",
		"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c":     "MQTT",
		"\x10\x8f\x01\x00\x04MQTT\x05\x02":         "MQTT",
		"\x10\x12\x00\x06MQIsdp\x03\x02":           "MQTT",
		"*1\r\n$4\r\nPING\r\n":                     "Redis",
		"\x03\x00\x00\x13\x0e\xe0":                 "RDP",
		"\x00\x00\x00\x54\xffSMB":                  "SMB",
		"\x05\x01\x00":                             "SOCKS",
		"hello?\r\n":                               "unknown, text",
		"G":                                        "unknown, text",
		"grüezi":                                   "unknown, binary",
		"\x00\x01\x02":                             "unknown, binary",
		"\x1b[2J":                                  "unknown, binary",
		"\x10\x02":                                 "unknown, binary",
	} {
		if got := protocolOf([]byte(first)); got != want {
			t.Errorf("%q: %s, not %s", first, got, want)
		}
	}
}

// TestHTTP: a browser learns what the port is. It is counted, and logged by its protocol.
func TestHTTP(t *testing.T) {
	h := serveHub(t, loopback, Options{}, nil)
	s := h.speaker()
	s.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	r, err := http.ReadResponse(bufio.NewReader(s.nc), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusBadRequest || !r.Close || !strings.Contains(string(body), "a port of a sighub") {
		t.Errorf("%s, %q, %v", r.Status, body, err)
	}
	tls := h.speaker()
	tls.say("\x16\x03\x01\x02\x00\x01\x00")
	tls.hearEnd()
	if err := poll(h.ctx, func() bool { return h.Stats().Refused["stranger"] == 2 }); err != nil {
		t.Errorf("counted: %v", h.Stats().Refused)
	}
}
