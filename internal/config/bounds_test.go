package config

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestBounds: a file of an odd form is refused before it takes time or memory, with its line.
func TestBounds(t *testing.T) {
	const n = maxFile
	var lines, deep strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&lines, "k%d: 1\n", i)
	}
	for i := range 700 {
		deep.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	for name, test := range map[string]struct{ text, want string }{
		"too large":             {strings.Repeat("#\n", n), "x:131073:1: the file goes on beyond its first 262144 bytes"},
		"brackets":              {strings.Repeat("[", n), "x:1:40001: the file has too many entries up to here"},
		"few brackets":          {strings.Repeat("[", 30_000), "x:1:33: mappings and lists are more than 32 deep"},
		"closed brackets":       {strings.Repeat("[", 15_000) + strings.Repeat("]", 15_000), "x:1:33: "},
		"mappings":              {strings.Repeat("{a: ", 10_000), "x:1:129: "},
		"dashes":                {strings.Repeat("- ", 30_000), "x:1:65: "},
		"question marks":        {strings.Repeat("? ", 30_000), "x:1:65: "},
		"indentation":           {deep.String(), "x:33:33: "},
		"keys":                  {lines.String(), "x:257:1: this mapping has more than 256 keys"},
		"anchors":               {strings.Repeat("&a ", 20_000) + "x", "x:1:1: anchors are not supported"},
		"an alias":              {"serial:\n  - *x\n", "x:2:5: aliases are not supported: write the value here; put a text that begins with * in quotes"},
		"a merge":               {"log:\n  <<: {level: info}\n", "x:2:3: << is not supported"},
		"an anchor in brackets": {"a: [b, &c d]", "x:1:8: anchors are not supported"},
		"tags":                  {strings.Repeat("!a ", 10_000), "x:1:65: there are too many tags"},
		"exclamation marks":     {strings.Repeat("!", 10_000), "x:1:1: this is not YAML"},
		"escapes":               {`a: "` + strings.Repeat(`\x41`, 60_000) + `"`, `x:1:1: "a" is not a key`},
		"an open text":          {"a: '" + strings.Repeat("''", 15_000), "x:1:4: the text that begins here has no end"},
		"one long key":          {strings.Repeat("k", n-10) + ": 1", "is not a key of the configuration"},
		"many mistakes":         {"serial:\n" + strings.Repeat("- {}\n", 9_000), "there are more mistakes: mend these first"},
		"many documents":        {strings.Repeat("---\n", 30_000), "x:20001:3: the file has too many entries"},
		"latin-1":               {"log:\n  level: \"\xfc\"\n", "x:2:11: byte 0xfc is not UTF-8: save the file as UTF-8"},
		"UTF-16":                {"\xff\xfel\x00o\x00g\x00", "x:1:1: this is UTF-16: save the file as UTF-8"},
		"a binary":              {"\x7fELF\x00", "x:1:5: there is a byte 0 here"},
		"many addresses":        {"listen:\n" + strings.Repeat("  - a:0\n", 9_000), ""},
		"flow list":             {"serial: [" + strings.Repeat("a,", 19_000) + "a]", "a is already on line 1"},
		"a mark of UTF-8":       {"\ufefflog: {level: warn}\r\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, err := Parse("x", []byte(test.text))
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			switch {
			case test.want == "" && err != nil, test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				text := fmt.Sprint(err)
				t.Errorf("%s, want %s", text[:min(len(text), 300)], test.want)
			case err != nil && len(err.Error()) > 100<<10:
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
			if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 150<<20 || took > 10*time.Second {
				t.Errorf("it took %s and %d MiB in all", took, allocated>>20)
			}
		})
	}
}
