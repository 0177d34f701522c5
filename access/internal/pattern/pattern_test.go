package pattern

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func parse(t rapid.TB, text string) Pattern {
	t.Helper()
	p, err := Parse(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return p
}

func match(p Pattern, name string) bool {
	n := In(new(Buffer), name)
	return p.Match(&n)
}

func TestMatch(t *testing.T) {
	for _, test := range []struct {
		pattern string
		yes, no []string
	}{
		{"*", []string{"a", "a/b", "#connect", "*", "ü"}, nil},
		{"green*", []string{"green", "greenhouse", "green/*"}, []string{"gree", "Green", "a green"}},
		{"*house", []string{"house", "househouse"}, []string{"houses"}},
		{"ü*", []string{"ü", "üb"}, []string{"u", "\u00fb"}},
		{`a\*`, []string{"a*"}, []string{"ab", `a\*`, "a"}},
		{`a\\*`, []string{`a\`, `a\b`}, []string{"ab", "a*"}},
		{`\?`, []string{"?"}, []string{"a"}},
		{"**", []string{"a", "ab"}, nil},
		{"a*b*c", []string{"abc", "aXbYc", "abbcc", "abcbc"}, []string{"abcb", "acb"}},
		{"light", []string{"light"}, []string{"lights", "ligh", ""}},
	} {
		p := parse(t, test.pattern)
		for _, name := range test.yes {
			if !match(p, name) {
				t.Errorf("%s does not match %q", test.pattern, name)
			}
		}
		for _, name := range test.no {
			if match(p, name) {
				t.Errorf("%s matches %q", test.pattern, name)
			}
		}
	}
	if match(Pattern{}, "a") {
		t.Error("the zero Pattern matches a name")
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"": "it is empty", `a\b`: `a \ stands before`, `a\`: `a \ stands before`, "a?": "write * for any text", "a\x1b": "U+001B", " a": "begins or ends with a space",
		strings.Repeat("a", 600): "more than 510", strings.Repeat("a", 300): "more than 255", "a\u202eb": "U+202E", "\xff": "not UTF-8",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

var (
	texts = rapid.StringMatching(`([ab*]|\\\*|\\\?|\\\\){1,6}`)
	names = rapid.StringMatching(`[ab*?\\]{1,6}`)
)

// expression returns a regular expression for the same names, made in another way.
func expression(text string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString("(?s)^")
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '*':
			b.WriteString(".*")
		case '\\':
			i++
			fallthrough
		default:
			b.WriteString(regexp.QuoteMeta(text[i : i+1]))
		}
	}
	return regexp.MustCompile(b.String() + "$")
}

// TestLikeExpressions: patterns match what regular expressions match.
func TestLikeExpressions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, name := texts.Draw(t, "pattern"), names.Draw(t, "name")
		p := parse(t, text)
		want := expression(text).MatchString(name)
		if got := match(p, name); got != want {
			t.Fatalf("%s on %s: %v", text, name, got)
		}
		if again := parse(t, p.Canonical()); match(again, name) != want || again.Canonical() != p.Canonical() {
			t.Fatalf("%s is %s in canonical form", text, p.Canonical())
		}
		if exact, ok := p.Exact(); ok && match(p, name) != (exact == name) {
			t.Fatalf("%s is exactly %s", text, exact)
		}
	})
}

// TestCovers: what covers another pattern matches all that it matches; and what does not, misses a name.
func TestCovers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, q := parse(t, texts.Draw(t, "p")), parse(t, texts.Draw(t, "q"))
		name := names.Draw(t, "name")
		covers := p.Covers(&q)
		if covers && match(q, name) && !match(p, name) {
			t.Fatalf("%s covers %s, and not %s", p, q, name)
		}
		// z is in no pattern: what stands for a star is matched by a star only.
		if witness := strings.NewReplacer(`\*`, "*", `\?`, "?", `\\`, `\`, "*", "z").Replace(q.Canonical()); match(p, witness) != covers {
			t.Fatalf("%s covers %s: %v; and %q", p, q, covers, witness)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"*", `a\*b?`, "green*house", `\`, "\xff", `**\?**`} {
		f.Add(text, "greenhouse")
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(p.Canonical())
		if err != nil || again.Canonical() != p.Canonical() || match(again, name) != match(p, name) || !p.Covers(&again) || !again.Covers(&p) {
			t.Errorf("%q is %q in canonical form: %v", text, p.Canonical(), err)
		}
	})
}

// TestMatchAllocatesNothing: the names of a usual hub fit.
func TestMatchAllocatesNothing(t *testing.T) {
	p := parse(t, "*house*l*x")
	name := strings.Repeat("greenhouse/", 20) + "lux"
	if n := testing.AllocsPerRun(100, func() {
		var b Buffer
		n := In(&b, name)
		if !p.Match(&n) {
			t.Error("it does not match")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
