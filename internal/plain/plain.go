// Package plain words errors for the people who use sighub: the names of Go packages in front of them mean nothing there.
package plain

import "strings"

// packages are those whose errors begin with their names; a test keeps the list complete.
var packages = []string{
	"access", "board", "bridge", "carrier", "cbor", "device", "drivers", "fault", "formats", "homeassistant", "hub", "identities",
	"journal", "json", "kernel", "keys", "lines", "listen", "local", "modbus", "mqtt", "nats", "pairing", "pins", "port", "rollup",
	"sensors", "serial", "shelf", "simulated", "steady", "tcp", "threshold", "web",
}

// Text removes the names of packages from the beginning of an error's text.
func Text(text string) string {
	for _, name := range packages {
		if rest, ok := strings.CutPrefix(text, name+": "); ok {
			return Text(rest)
		}
	}
	return text
}

// Error returns an error in plain words, which wraps err.
func Error(err error) error { return plainError{err} }

type plainError struct{ error }

func (e plainError) Error() string { return Text(e.error.Error()) }

func (e plainError) Unwrap() error { return e.error }
