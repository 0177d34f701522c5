package topic

import (
	"strings"
	"testing"
)

func TestEscape(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name         string
		level, first bool
		want         string
	}{
		{"pump", false, true, "pump"}, {"a/b", false, true, "a/b"}, {"a/b", true, false, "a%2Fb"}, {"50%", true, false, "50%25"},
		{"a+b#c", false, true, "a%2Bb%23c"}, {"_state", true, false, "%5Fstate"}, {"a/_b_", false, true, "a/%5Fb_"}, {"a/_b", true, false, "a%2F_b"},
		{"$SYS", false, true, "%24SYS"}, {"$SYS", false, false, "$SYS"}, {"a/$b", false, true, "a/$b"}, {"", false, true, ""}, {"ü", true, false, "ü"},
	} {
		if got := Escape(test.name, test.level, test.first); got != test.want {
			t.Errorf("%q is %q, not %q", test.name, got, test.want)
		}
	}
	for text, want := range map[string]string{"a%2fb": "a/b", "%61": "a"} {
		if got, err := Unescape(text); got != want || err != nil {
			t.Errorf("%q is %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"%", "%2", "a%2", "%2g", "%g2", "%%25", "% 1"} {
		if got, err := Unescape(text); err == nil {
			t.Errorf("%q is %q", text, got)
		}
	}
}

func FuzzEscape(f *testing.F) {
	for _, name := range []string{"a/_b", "$%+#/", "\xff%2", ""} {
		f.Add(name, true, true)
	}
	f.Fuzz(func(t *testing.T, name string, level, first bool) {
		text := Escape(name, level, first)
		if got, err := Unescape(text); got != name || err != nil {
			t.Errorf("%q is %q, and %q, %v again", name, text, got, err)
		}
		if strings.ContainsAny(text, "+#") || level && strings.Contains(text, "/") || first && !level && strings.HasPrefix(text, "$") {
			t.Errorf("%q is %q", name, text)
		}
	})
}
