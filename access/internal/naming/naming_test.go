package naming

import (
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	for name, want := range map[string]string{
		"alice": "", "a": "", "home-assistant.2": "", strings.Repeat("a", Longest): "",
		"": "is empty", "Alice": "write alice", "a b": "small letters", "ünal": "small letters", "-a": "begins or ends", "a.": "begins or ends", ".": "begins or ends",
		"unix:0": "small letters", "device:1": "small letters", "a/b": "small letters", "*": "small letters", strings.Repeat("a", Longest+1): "more than 64",
		"\u0430lice": "small letters", "a\nb": "small letters",
	} {
		err := Check(name)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", name, err, want)
		}
	}
}
