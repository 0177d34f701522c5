package logbook_test

import (
	"encoding/json"
	"io"
	"strings"
	"testing"

	"sighub/carrier"
	"sighub/cmd/sighub/internal/logbook"
	"sighub/hub"
	"sighub/internal/loglimit"
)

// TestMethod: the lines that are asked for are told, and a malformed question is refused.
func TestMethod(t *testing.T) {
	log := loglimit.Open(io.Discard, "info", "text")
	defer log.Close()
	log.Debug("below the level")
	log.Info("port open", "port", "/dev/ttyUSB0")
	log.Warn("port lost", "port", "/dev/ttyUSB0")
	log.Warn("port lost", "port", "/dev/ttyUSB1")
	ask := logbook.Method(log.Recent, make(map[string]hub.Method))[logbook.MethodLog]
	for question, want := range map[string]string{
		`null`:              "port lost /dev/ttyUSB1, port lost /dev/ttyUSB0, port open /dev/ttyUSB0, ",
		`{"level":"warn"}`:  "port lost /dev/ttyUSB1, port lost /dev/ttyUSB0, ",
		`{"level":"error"}`: "",
		`{"limit":1}`:       "port lost /dev/ttyUSB1, ",
		`{"about":["/dev/ttyUSB0"],"level":"info"}`:         "port lost /dev/ttyUSB0, port open /dev/ttyUSB0, ",
		`{"about":["nobody"]}`:                              "",
		`{"find":" LOST  usb1"}`:                            "port lost /dev/ttyUSB1, ",
		`{"find":"port=/dev/ttyUSB0","level":"warn"}`:       "port lost /dev/ttyUSB0, ",
		`{"find":"` + strings.Repeat("a ", 17) + `"}`:       "find may have 16 words",
		`{"level":"loud"}`:                                  "level must be debug, info, warn or error",
		`{"limit":-1}`:                                      "limit must be from 1 to 200",
		`{"limit":201}`:                                     "limit must be from 1 to 200",
		`{"about":[` + strings.Repeat(`"a",`, 64) + `"a"]}`: "about may have 64 texts",
		`{"limit":"many"}`:                                  "the arguments are not understood",
		`[]`:                                                "the arguments are not understood",
	} {
		answer, err := ask(t.Context(), carrier.RawValue(carrier.JSON, []byte(question)))
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			text, err := json.Marshal(answer)
			var list []loglimit.Line
			if err != nil || json.Unmarshal(text, &list) != nil || text[0] != '[' {
				t.Fatalf("%s: %s, %v", question, text, err)
			}
			for _, l := range list {
				got += l.Message + " " + l.Attrs["port"] + ", "
			}
		}
		if got != want && (err == nil || !strings.HasPrefix(got, want)) {
			t.Errorf("%s: %q, want %q", question, got, want)
		}
	}
}
