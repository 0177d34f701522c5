package arguments_test

import (
	"cmp"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"sighub/carrier"
	"sighub/internal/arguments"
)

func TestParseData(t *testing.T) {
	for _, test := range []struct {
		text, want string
		odd        arguments.Oddity
	}{
		{"512", "512", ""}, {"-5", "-5", ""}, {".5", "0.5", ""}, {"+5", "5", ""}, {"-.5", "-0.5", ""}, {"5.", "5", ""}, {"+.5e3", "0.5e3", ""},
		{" .5 ", "0.5", ""}, {"1e5", "1e5", ""}, {"+0", "0", ""}, {"0.", "0", ""},
		{`{"a":[1,null]}`, `{"a":[1,null]}`, ""}, {"true", "true", ""}, {`"x"`, `"x"`, ""},
		{"hello", `"hello"`, ""}, {"", `""`, ""}, {"1 2", `"1 2"`, ""}, {"10.0.0.1", `"10.0.0.1"`, ""}, {"2026-06-21", `"2026-06-21"`, ""},
		{"12:30", `"12:30"`, ""}, {"0x1F", `"0x1F"`, ""}, {"-", `"-"`, ""}, {".", `"."`, ""}, {"+", `"+"`, ""}, {"5 degrees", `"5 degrees"`, ""},
		{"a,b", `"a,b"`, ""}, {"1.2.3", `"1.2.3"`, ""}, {"infinite", `"infinite"`, ""},
		{"21,5", `"21,5"`, arguments.Comma}, {",5", `",5"`, arguments.Comma}, {"1,250", `"1,250"`, arguments.Comma}, {"1,250,000.5", `"1,250,000.5"`, arguments.Comma},
		{"007", `"007"`, arguments.Zeros}, {"-007.5", `"-007.5"`, arguments.Zeros}, {"00", `"00"`, arguments.Zeros},
		{"NaN", `"NaN"`, arguments.NoNumber}, {"-inf", `"-inf"`, arguments.NoNumber}, {"Infinity", `"Infinity"`, arguments.NoNumber},
		{`{"on":tru}`, `"{\"on\":tru}"`, arguments.BrokenJSON}, {"[INFO] started", `"[INFO] started"`, arguments.BrokenJSON}, {`"open`, `"\"open"`, arguments.BrokenJSON},
		{"21 \xb0C", `"21 °C"`, arguments.Latin1}, {"\"\xb0\"", `"\"°\""`, arguments.Latin1},
	} {
		v, odd := arguments.ParseData(test.text)
		if got := v.String(); got != test.want || odd != test.odd {
			t.Errorf("%q: %s, %q; want %s, %q", test.text, got, odd, test.want, test.odd)
		}
	}
}

func TestData(t *testing.T) {
	for text, want := range map[string]string{
		`{"on":tru}`: `begins like JSON and is not (byte 10: invalid character '}' in literal true (expecting 'e')): mend it, or '"{\"on\":tru}"' to send`,
		"[1,2":       "(it is not complete)", `{} {}`: "(byte 3: something follows the value)", `"open`: "(it is not complete)",
		"21,5": "write 21.5, or '\"21,5\"' to send it as a text", "-007": "write -7, or", "000": "write 0, or", "00.5": "write 0.5, or",
		"\xff": "not UTF-8", "1,250": "write 1.250 or 1250, or",
	} {
		if _, err := arguments.Data(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	for _, text := range []string{"x", "NaN", ".5", "1 2"} {
		if _, err := arguments.Data(text); err != nil {
			t.Error(err)
		}
	}
}

func TestParseTime(t *testing.T) {
	at := time.Date(2026, 6, 21, 10, 30, 5, 250_000_000, time.UTC)
	for text, want := range map[string]time.Time{
		"": {}, "2026-06-21T10:30:05.25Z": at, "2026-06-21T12:30:05.25+02:00": at, "1782037805": at.Truncate(time.Second), "1782037805250": at,
		"1782037805250000": at, "1782037805250000000": at, "1782037805.25": at,
	} {
		if got, err := arguments.ParseTime(text); err != nil || !got.Equal(want) {
			t.Errorf("%s: %s, %v", text, got.UTC(), err)
		}
	}
	for _, text := range []string{"yesterday", "5", "-1782037805", "NaN", "Inf", "1e300", "2026-06-21", "178203780525000000000"} {
		if got, err := arguments.ParseTime(text); err == nil {
			t.Errorf("%s: %s", text, got)
		}
	}
}

func TestInterests(t *testing.T) {
	in := func(sender, event string, more ...string) *arguments.Interests {
		t.Helper()
		i, err := arguments.NewInterests(sender, event, more)
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	for _, test := range []struct {
		in   *arguments.Interests
		asks string
	}{
		{in("", ""), ":"}, {in("*", "*"), ":"}, {in("light", ""), "light:"}, {in("light", "lux"), "light:lux"}, {in("*", "#gap"), ":#gap"},
		{in("", "lux"), ":"}, {in("k*", "temp"), ":"}, {in("light", "l?x"), "light:"}, {in("*", "#a*"), ":"},
		{in("", "", "a", "b:c"), "a: b:c"}, {in("a", "x", "a", "a:y"), "a:"}, {in("a", "x", "*:#b", "*"), ":"}, {in("a", "#b", "*:#b"), ":#b"},
		{in("a", "x", "a:x"), "a:x"},
	} {
		var asks []string
		for _, s := range test.in.Subscriptions {
			asks = append(asks, s.Sender+":"+s.Event)
		}
		if got := strings.Join(asks, " "); got != test.asks {
			t.Errorf("asks %s, want %s", got, test.asks)
		}
	}
	if both := in("light", "", "*:#gap"); !both.Wants(0, "light", "#gap") || both.Wants(1, "light", "#gap") || !both.Wants(1, "door", "#gap") ||
		both.Wants(1, "door", "open") {
		t.Error("an event that comes through two subscriptions is not told once")
	}
	for _, bad := range []string{":x", "x:", ":", ""} {
		if _, err := arguments.NewInterests("", "", []string{bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestSelection(t *testing.T) {
	for _, test := range []struct {
		keep, except string
		takes, not   string // events as sender:event; ! says that every sender has it
	}{
		{"*", "", "a:b a:!#gap é:é", ""},
		{"", "", "", "a:b a:!#gap"},
		{"light k*:temp", "", "light:lux light:!#connect kitchen:temp kitchen:!#gap", "kitchen:hum door:open door:!#gap light2:lux"},
		{"*", "debug.* *:trace", "a:b a:!#connect", "debug.x:y debug.x:!#connect a:trace"},
		{"*:temp", "*:#disconnect", "a:temp a:!#connect a:!#gap", "a:b a:!#disconnect"},
		{"*:??", "", "a:éü a:xy", "a:é a:xyz"},
	} {
		s, err := arguments.NewSelection(strings.Fields(test.keep), strings.Fields(test.except))
		if err != nil {
			t.Fatal(err)
		}
		for list, want := range map[string]bool{test.takes: true, test.not: false} {
			for ev := range strings.FieldsSeq(list) {
				sender, event, _ := strings.Cut(ev, ":")
				event, builtIn := strings.CutPrefix(event, "!")
				if s.Takes(sender, event, builtIn) != want {
					t.Errorf("%s without %s: %s is not %t", test.keep, test.except, ev, want)
				}
			}
		}
		if all := test.keep == "*" && test.except == ""; s.All() != all || s.None() != (test.keep == "") {
			t.Errorf("%s without %s: all is %t, none is %t", test.keep, test.except, s.All(), s.None())
		}
	}
	for _, bad := range [][]string{{":"}, {"a", ""}, {"x:"}, make([]string, 300)} {
		if _, err := arguments.NewSelection(bad, nil); err == nil {
			t.Errorf("%q is taken", bad)
		}
		if _, err := arguments.NewSelection(nil, bad); err == nil {
			t.Errorf("%q is taken as an exception", bad)
		}
	}
	s, _ := arguments.NewSelection([]string{"k*:t*"}, []string{"kü?he"})
	if n := testing.AllocsPerRun(10, func() { s.Takes("küche", "temperature", false) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "1h30m": 90 * time.Minute, "2d": 48 * time.Hour, "1.5d": 36 * time.Hour, "1d12h": 36 * time.Hour, "0s": 0,
		"36500d": 36500 * 24 * time.Hour,
	} {
		if got, err := arguments.ParseDuration(text); err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "5", "-1h", "d", "-2d", "+2d", "2d-1h", "NaNd", "Infd", "1e9d", "99999999d", "2 d", "2h1d", "2dd", "0x1d", "36600d2562047h"} {
		if got, err := arguments.ParseDuration(text); err == nil {
			t.Errorf("%q: %s", text, got)
		}
	}
}

func TestParseMoment(t *testing.T) {
	zone := time.FixedZone("east", 2*3600)
	now := time.Date(2026, 6, 21, 12, 0, 0, 0, zone)
	at := func(t time.Time) arguments.Moment {
		return arguments.Moment{Text: t.UTC().Format(time.RFC3339Nano), Time: t}
	}
	for text, want := range map[string]arguments.Moment{
		"": {}, "start": {Text: "start"}, "2h": {Text: "2h0m0s", Time: now.Add(-2 * time.Hour)}, "7d": {Text: "168h0m0s", Time: now.AddDate(0, 0, -7)},
		"0s": {Text: "0s", Time: now}, "3/4711": {Epoch: 3, Sequence: 4711}, "2026-06-20": at(time.Date(2026, 6, 20, 0, 0, 0, 0, zone)),
		"2026-06-20 10:30": at(time.Date(2026, 6, 20, 10, 30, 0, 0, zone)), "2026-06-20T10:30:05": at(time.Date(2026, 6, 20, 10, 30, 5, 0, zone)),
		"2026-06-20T10:30:05.5Z": at(time.Date(2026, 6, 20, 10, 30, 5, 500_000_000, time.UTC)), "1782037805": at(time.Unix(1782037805, 0)),
	} {
		got, err := arguments.ParseMoment(text, now)
		if err != nil || got.Text != want.Text || !got.Time.Equal(want.Time) || got.Epoch != want.Epoch || got.Sequence != want.Sequence {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"yesterday", "-2h", "5", "3/", "/4", "0/4", "3/-4", "4294967296/1", "2026-13-01", "3/4/5"} {
		if got, err := arguments.ParseMoment(text, now); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

// FuzzInterests: whatever the patterns are, an event that matches one is wanted exactly once of the subscriptions that it comes
// through, and another one never.
func FuzzInterests(f *testing.F) {
	f.Add("a*", "b", "a:x", "*:#b", "ab", "#b")
	f.Add("light", "", "*:#gap", "x", "light", "#gap")
	f.Add("*", "", "a?c", "**:?", "abc", "x")
	f.Fuzz(func(t *testing.T, sender, event, p1, p2, heardSender, heardEvent string) {
		in, err := arguments.NewInterests(sender, event, []string{p1, p2})
		if err != nil || heardSender == "" || heardEvent == "" || !utf8.ValidString(strings.Join([]string{sender, event, p1, p2, heardSender, heardEvent}, "\n")) {
			return
		}
		wanted, came := 0, 0
		for i, s := range in.Subscriptions {
			if (s.Sender == "" || s.Sender == heardSender) && (s.Event == "" || s.Event == heardEvent) {
				came++
				if in.Wants(i, heardSender, heardEvent) {
					wanted++
				}
			}
		}
		matches := false
		for _, p := range []string{p1, p2} {
			s, e := p, "*"
			if i := strings.LastIndexByte(p, ':'); i >= 0 {
				s, e = p[:i], p[i+1:]
			}
			matches = matches || like(s, heardSender) && like(e, heardEvent)
		}
		if sender != "" || event != "" {
			matches = matches || like(cmp.Or(sender, "*"), heardSender) && like(cmp.Or(event, "*"), heardEvent)
		}
		if matches && wanted != 1 || !matches && wanted != 0 {
			t.Errorf("%q: an event %q of %q comes %d times and is wanted %d times", in.Subscriptions, heardEvent, heardSender, came, wanted)
		}
	})
}

// like is the obvious way to match * and ?.
func like(pattern, text string) bool {
	re := regexp.QuoteMeta(pattern)
	re = strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(re)
	return regexp.MustCompile(`^(?s:` + re + `)$`).MatchString(text)
}

func FuzzParseData(f *testing.F) {
	for _, text := range []string{".5", "+5.", "21,5", "007", "1e999", `{"a":`, "\xb0", "-.5e-3", "\ufeff1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.HasPrefix(text, "\x00") {
			return // no argument has it
		}
		v, odd := arguments.ParseData(text)
		packed, err := v.AppendTo(nil, carrier.JSON)
		if err != nil {
			return // the hub would refuse it: a number that is too large, a text that is too deep
		}
		if !json.Valid(packed) || !utf8.Valid(packed) {
			t.Errorf("%q becomes %q, which is no JSON", text, packed)
		}
		if _, err := arguments.Data(text); odd == arguments.Nothing && err != nil {
			t.Errorf("%q: %v", text, err)
		}
	})
}
