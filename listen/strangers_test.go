package listen

import "testing"

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
