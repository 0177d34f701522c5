package safetext_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"sighub/internal/safetext"
)

func TestLine(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"plain", "greenhouse (tcp://127.0.0.1:3000)", "greenhouse (tcp://127.0.0.1:3000)"},
		{"letters of every script", "Küche Теплица θάλασσα 日本語 ไทย हिन्दी مرحبا שלום", "Küche Теплица θάλασσα 日本語 ไทย हिन्दी مرحبا שלום"},
		{"escape sequences", "a\x1b]0;T\x07\x1b[2J", `a\x1b]0;T\a\x1b[2J`},
		{"lines", "a\nb\r\tc\v\f\u0085\u2028\u2029", `a\nb\r\tc\v\f\u0085\u2028\u2029`},
		{"C1", "a\u009b31m\u009d", `a\u009b31m\u009d`},
		{"delete and nul", "\x7f\x00", `\x7f\x00`},
		{"directions", "\u202eabc\u2066\u200f\u061c", `\u202eabc\u2066\u200f\u061c`},
		{"invisible", "a\u200bb\ufeffc\u00add\u2060\u034f\u3164\u2800\u180e", `a\u200bb\ufeffc\u00add\u2060\u034f\u3164\u2800\u180e`},
		{"tags", "a\U000e0041", `a\U000e0041`},
		{"spaces", "a\u00a0b\u3000c", `a\u00a0b\u3000c`},
		{"not UTF-8", "K\xfcche \xed\xa0\x80", `K\xfcche \xed\xa0\x80`},
		{"private and unassigned", "\ue000\U0010ffff\ufdd0\u0378", `\ue000\U0010ffff\ufdd0\u0378`},
		{"emoji", "🌡️ 👩🏽‍🚒 1️⃣ 🇫🇷 ↔️ ❤️‍🔥", "🌡️ 👩🏽‍🚒 1️⃣ 🇫🇷 ↔️ ❤️‍🔥"},
		{"joiners elsewhere", "a\u200db 🌡\u200d\u200d🌡 a\ufe0f 1\ufe0f", `a\u200db 🌡\u200d\u200d🌡 a\ufe0f 1\ufe0f`},
		{"marks", "e\u0301 " + "x" + strings.Repeat("\u0300", 6), "e\u0301 " + "x" + strings.Repeat("\u0300", 4) + `\u0300\u0300`},
		{"marks alone", "\u0301a \u0301", `\u0301a \u0301`},
		{"what looks escaped already", `C:\new "x"`, `C:\new "x"`},
		{"replacement", "a\ufffd", "a\ufffd"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := safetext.Line(test.text); got != test.want {
				t.Errorf("%+q, want %+q", got, test.want)
			}
		})
	}
}

func TestCut(t *testing.T) {
	long := strings.Repeat("ü", 5000)
	if got := safetext.Line(long); len(got) > safetext.MaxLine || !strings.HasSuffix(got, " bytes in all)") || !utf8.ValidString(got) {
		t.Errorf("%d bytes, %s", len(got), got[len(got)-40:])
	}
	if got, want := safetext.Short(strings.Repeat("a", 100), 40), strings.Repeat("a", 17)+" … (100 bytes in all)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := safetext.Short(strings.Repeat("\x1b", 40), 64); len(got) > 64 || strings.Contains(got, "\x1b") {
		t.Errorf("%q", got)
	}
	if got, want := safetext.Short("0123456789❤️"+strings.Repeat("x", 40), 38), "0123456789❤ … (56 bytes in all)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	name := strings.Repeat("n", 255) + " (tcp://10.0.0.1:4711)"
	if got := safetext.Middle(name, 64); len(got) > 64 || !strings.HasSuffix(got, "n (tcp://10.0.0.1:4711)") || !strings.HasPrefix(got, "nnn") {
		t.Errorf("%q", got)
	}
	if got := safetext.Middle("short", 64); got != "short" {
		t.Errorf("%q", got)
	}
}

func TestCheckName(t *testing.T) {
	for name, want := range map[string]string{
		"a b": "", "a/b": "", "küche": "", "e\u0301": "", "🌡️": "", "日本語": "", "#chan": "", "*": "", ".": "", "{sender}": "", `a"b\c`: "",
		strings.Repeat("x", 255): "",
		"":                       "it is empty: give it one",
		strings.Repeat("x", 256): "it has 256 bytes, more than 255: shorten it",
		" ":                      "it begins or ends with a space (U+0020): remove it",
		"a ":                     "it begins or ends with a space (U+0020): remove it",
		"\t":                     "U+0009 is a control character: remove it",
		"a\nb":                   "U+000A is a control character: remove it",
		"a\x00b":                 "U+0000 is a control character: remove it",
		"\x1b[31mred":            "U+001B is a control character: remove it",
		"a\u009bb":               "U+009B is a control character: remove it",
		"\u202eabc":              "U+202E is an invisible character that turns the reading direction: remove it",
		"\ufeffabc":              "U+FEFF is invisible: remove it",
		"a\u200bb":               "U+200B is invisible: remove it",
		"a\u200db":               "U+200D is invisible: remove it",
		"a\u3164":                "U+3164 is invisible: remove it",
		"a\u00a0b":               "U+00A0 is a space other than the ordinary one: remove it",
		"a\u2028b":               "U+2028 ends a line: remove it",
		"\ue000":                 "U+E000 has no meaning that all share (private use): remove it",
		"\u0378":                 "U+0378 is not assigned: remove it",
		"\u0301a":                "U+0301 is a mark without a letter to stand on: remove it",
		"a\ufffd":                "U+FFFD stands for a character that was lost on the way: send the text in UTF-8",
		"K\xfcche":               "byte 2, 0xfc, is not UTF-8: send the text in UTF-8",
		"\xed\xa0\x80":           "byte 1, 0xed, is not UTF-8: send the text in UTF-8",
	} {
		got := ""
		if err := safetext.CheckName(name); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%+q: %q, want %q", name, got, want)
		}
	}
	if err := safetext.CheckUnit(""); err != nil {
		t.Error(err)
	}
	if err := safetext.CheckUnit("\x1b[5mBLINK"); err == nil {
		t.Error("a unit with an escape sequence is taken")
	}
}

func TestSkeleton(t *testing.T) {
	for _, pair := range [][2]string{
		{"door", "dооr"}, {"door", "Door"}, {"scope", "ѕсоре"}, {"TEMP", "ТЕМР"}, {"alpha", "αlphα"}, {"sensor1", "sensorl"},
		{"sensor1", "sensorI"}, {"s0", "sO"}, {"é", "e\u0301"}, {"ｄｏｏｒ", "door"}, {"modem", "rnodern"}, {"a b", "a  b"}, {"a-b", "a–b"},
		{"ﬁlter", "filter"}, {"🌡", "🌡️"}, {"𝐝𝐨𝐨𝐫", "door"}, {"", "\u200b"},
	} {
		if a, b := safetext.Skeleton(pair[0]), safetext.Skeleton(pair[1]); a != b {
			t.Errorf("%+q and %+q: %q and %q", pair[0], pair[1], a, b)
		}
	}
	for _, pair := range [][2]string{
		{"light", "lights"}, {"temp2", "temp3"}, {"e", "é"}, {"küche", "kuche"}, {"ab", "a b"}, {"дом", "dom"}, {"s1", "s2"},
	} {
		if a, b := safetext.Skeleton(pair[0]), safetext.Skeleton(pair[1]); a == b {
			t.Errorf("%+q and %+q: %q", pair[0], pair[1], a)
		}
	}
	for name, want := range map[string]bool{
		"door": false, "dооr": true, "дом": false, "оо": false, "Δt": false, "μC": false, "küche": false, "αlpha": true, "日本door": false,
	} {
		if got := safetext.Mixed(name); got != want {
			t.Errorf("%+q: %v", name, got)
		}
	}
}

// TestCutBrokenText: a text that is too long and ends in bytes that are no UTF-8 is cut before them.
func TestCutBrokenText(t *testing.T) {
	for n := range 100 {
		for m := range 100 {
			if got := safetext.Short(strings.Repeat("0", n)+strings.Repeat("\x81", m), 64); len(got) > 64 {
				t.Fatalf("%q has %d bytes", got, len(got))
			}
		}
	}
}

func FuzzLine(f *testing.F) {
	for _, text := range []string{"a\x1b[2J", "\u202e", "👩🏽‍🚒1️⃣", "\xed\xa0\x80", strings.Repeat("\x00", 5000), "e\u0301\u0301\u0301\u0301\u0301", `"\ud800"`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, line := range []string{safetext.Line(text), safetext.Middle(text, 64), safetext.Short(text, 64)} {
			if !utf8.ValidString(line) || len(line) > safetext.MaxLine {
				t.Fatalf("%+q", line)
			}
			for _, r := range line {
				switch {
				case r == '\u200d' || r == '\ufe0f' || r == '\ufe0e':
				case r != ' ' && !unicode.IsPrint(r), unicode.Is(unicode.Bidi_Control, r), unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r),
					unicode.Is(unicode.Variation_Selector, r):
					t.Fatalf("%+q has U+%04X", line, r)
				}
			}
			if again := safetext.Line(line); again != line {
				t.Fatalf("%+q and again %+q", line, again)
			}
			if err := safetext.Check(line); err != nil {
				t.Fatalf("%+q: %v", line, err)
			}
		}
		if safetext.Check(text) == nil && len(text) <= safetext.MaxLine && safetext.Line(text) != text {
			t.Fatalf("%+q is right and shown as %+q", text, safetext.Line(text))
		}
		if again := safetext.Skeleton(safetext.Skeleton(text)); again != safetext.Skeleton(text) {
			t.Fatalf("%+q: %+q, %+q", text, safetext.Skeleton(text), again)
		}
	})
}

func FuzzJSON(f *testing.F) {
	for _, text := range []string{`{"a":"` + "\u202e\u009b\x7f" + `"}`, `["` + "\U000e0041" + `"]`, `"a\u200bb"`, "{\"a\"\t:1}\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		if !json.Valid(line) || !utf8.Valid(line) {
			return
		}
		safe := safetext.JSON(bytes.Clone(line))
		var before, after any
		if err := json.Unmarshal(line, &before); err != nil {
			return // a number that is out of range
		}
		if err := json.Unmarshal(safe, &after); err != nil || !reflect.DeepEqual(before, after) {
			t.Fatalf("%+q became %+q, %v", line, safe, err)
		}
		if err := safetext.Check(string(safe)); err != nil {
			t.Fatalf("%+q: %v", safe, err)
		}
	})
}
