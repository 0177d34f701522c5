package tcp

import (
	"strings"
	"testing"

	"sighub/carrier"
)

// TestHelloName: a name that people could not read, or would read wrongly, is refused, with its cause.
func TestHelloName(t *testing.T) {
	for name, want := range map[string]string{
		"": "", "camera": "", "Küche 🌡️": "", strings.Repeat("x", 255): "",
		"cam\x1b]0;x\x07":           `name "cam\x1b]0;x\a": U+001B is a control character: remove it`,
		"cam\ngreenhouse":           "U+000A is a control character",
		"\u202eabc":                 `name "\u202eabc": U+202E is an invisible character`,
		"cam ":                      "begins or ends with a space",
		strings.Repeat("\x01", 255): "U+0001",
		strings.Repeat("x", 256):    "it has 256 bytes, more than 255",
	} {
		_, err := parseHello(carrier.ValueOf(map[string]any{"protocol": Protocol, "name": name}))
		switch {
		case want == "" && err != nil:
			t.Errorf("%+q: %v", name, err)
		case want == "":
		case err == nil || !strings.Contains(err.Error(), want) || carrier.Cause(err) != "name":
			t.Errorf("%+q: %v, cause %s", name, err, carrier.Cause(err))
		case len(err.Error()) > 200:
			t.Errorf("the error has %d bytes", len(err.Error()))
		}
	}
}
