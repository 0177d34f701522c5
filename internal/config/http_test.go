package config

import (
	"strings"
	"testing"
)

// TestBase: what is not the path of a proxy is refused, with its line and with how to write one.
func TestBase(t *testing.T) {
	for text, ok := range map[string]bool{
		"/house/hub": true, "/hub": true, "/häus/hub-1": true, "/a.b": true,
		"house/hub": false, "/house/": false, "/": false, "/house//hub": false, "/house/../hub": false, "/..": false, "/./hub": false,
		"/hub?x=1": false, "/hub#top": false, "/h%75b": false, `/house\hub`: false, "/house hub": false, "http://hub.example/hub": false,
	} {
		c, err := Parse("hub.yaml", []byte("\nhttp:\n  base: '"+text+"'\n"))
		switch {
		case ok && (err != nil || c.HTTP.Base != text):
			t.Errorf("%s: %v", text, err)
		case !ok && (err == nil || !strings.HasPrefix(err.Error(), "hub.yaml:3:") || !strings.Contains(err.Error(), "write it as in /house/hub")):
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := Parse("hub.yaml", []byte("http: {base: [/hub]}\n")); err == nil {
		t.Error("a list is a path")
	}
}
