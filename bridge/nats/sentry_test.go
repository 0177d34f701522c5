package nats

import (
	"errors"
	"strings"
	"testing"
)

const info = "INFO {\"server_id\":\"x\"}\r\n"

// TestSentry: what a server sends passes, however it is cut, and what no server sends does not.
func TestSentry(t *testing.T) {
	long := strings.Repeat("x", longestLine+1)
	for _, row := range []struct {
		name, text string
		secured    bool
		bad        bool
	}{
		{name: "messages", text: info + "PING\r\nMSG a 1 5\r\nMSG a\r\nHMSG a 1 r 12 14\r\nNATS/1.0\r\n\r\nxx\r\n+OK\r\n" + info},
		{name: "what looks like a message", text: info + "MSG a 1 18\r\nMSG a 1 999999999999\n\r\nPONG\r\n"},
		{name: "no end", text: long, bad: true},
		{name: "no end later", text: info + long, bad: true},
		{name: "long", text: info + "MSG a 1 999999999\r\n", bad: true},
		{name: "long with headers", text: info + "hmsg a 1 5 999999999\r\n", bad: true},
		{name: "blanks", text: info + "mSg\ta\t1\t999999999 \t\r\n", bad: true},
		{name: "other blanks", text: info + "MSG a 1 5\r999999999\r\n", bad: true},
		{name: "negative", text: info + "MSG a 1 -1\r\n", bad: true},
		{name: "no number", text: info + "MSG\r\n", bad: true},
		{name: "too late for TLS", text: info + "INFO {\"tls_required\":true}\r\nMSG a 1 999999999\r\n", bad: true},
		{name: "TLS", text: "INFO {\"tls_required\":true}\r\n\x16\x03" + long},
		{name: "TLS that is wanted", text: "INFO {\"tls_available\":true}\r\n\x16\x03" + long, secured: true},
		{name: "TLS that is not wanted", text: "INFO {\"tls_available\":true}\r\n\x16\x03" + long, bad: true},
	} {
		for _, step := range []int{1, 2, 3, 7, len(row.text)} {
			g := sentry{secured: row.secured}
			var err error
			for rest := row.text; rest != "" && err == nil; {
				n := min(step, len(rest))
				err = g.look([]byte(rest[:n]))
				rest = rest[n:]
			}
			if bad := errors.Is(err, errProtocol); bad != row.bad {
				t.Errorf("%s, %d bytes at a time: %v", row.name, step, err)
			}
			if cap(g.line) > 2*longestLine {
				t.Errorf("%s: it keeps %d bytes", row.name, cap(g.line))
			}
		}
	}
}
