package carrier

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestReadTime(t *testing.T) {
	now := time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
	utc := func(text string) time.Time {
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	seconds := strconv.FormatInt(now.Unix(), 10)
	for _, c := range []struct {
		text string // JSON; or CBOR in hexadecimal, after x
		want time.Time
		bad  string // what its refusal says
	}{
		{seconds, now, ""}, {seconds + "000", now, ""}, {seconds + "000000", now, ""}, {seconds + "000000000", now, ""},
		{seconds + ".5", now.Add(500 * time.Millisecond), ""}, {seconds + ".123456", now.Add(123456 * time.Microsecond), ""},
		{seconds + "250.5", now.Add(250500 * time.Microsecond), ""}, {seconds + "000123.7", now.Add(124 * time.Microsecond), ""},
		{"1.7956872e9", now, ""}, {"1.7956872e18", now, ""}, {seconds + "123456789", now.Add(123456789), ""},
		{"1", time.Unix(1, 0), ""}, {"99999999999", time.Time{}, "not from 1970 to 2261"}, {"100000000000", utc("1973-03-03T09:46:40Z"), ""},
		{"9214646399999999999", utc("2261-12-31T23:59:59.999999999Z"), ""}, {"9223372036854775807", time.Time{}, "2261"},
		{"18446744073709551615", time.Time{}, "2261"}, {"1e30", time.Time{}, "2261"}, {"-5", time.Time{}, "1970"}, {"-0.5", time.Time{}, "1970"},
		{"0", time.Time{}, ""}, {"0.0", time.Time{}, ""}, {"null", time.Time{}, ""},
		{`"2026-11-26T10:00:00Z"`, now, ""}, {`"2026-11-26t10:00:00z"`, now, ""}, {`"2026-11-26 10:00:00Z"`, now, ""},
		{`"2026-11-26T11:00:00+01:00"`, now, ""}, {`"2026-11-26T11:00:00+0100"`, now, ""}, {`"2026-11-26 04:30:00.25-05:30"`, now.Add(250 * time.Millisecond), ""},
		{`"2026-11-26T10:00:00.123456789Z"`, now.Add(123456789), ""},
		{`"2026-11-26T10:00:00"`, time.Time{}, "does not say its zone"}, {`"2026-11-26 10:00:00"`, time.Time{}, "does not say its zone"},
		{`"2026-11-26 10:00:00.5"`, time.Time{}, "does not say its zone"},
		{`"2016-12-31T23:59:60Z"`, utc("2017-01-01T00:00:00Z"), ""}, {`"2017-01-01T00:59:60.5+01:00"`, utc("2017-01-01T00:00:00.5Z"), ""},
		{`"2016-12-31T22:59:60Z"`, time.Time{}, "not an RFC 3339 time"}, {`"2016-12-31T23:58:60Z"`, time.Time{}, "not an RFC 3339 time"},
		{`"1969-12-31T23:59:59Z"`, time.Time{}, "1970"}, {`"0001-01-01T00:00:00Z"`, time.Time{}, "1970"}, {`"2262-01-01T00:00:00Z"`, time.Time{}, "2261"},
		{`"` + seconds + `"`, time.Time{}, "not an RFC 3339 time"}, {`"now"`, time.Time{}, "not an RFC 3339 time"}, {`""`, time.Time{}, "not an RFC 3339 time"},
		{`"2026-13-26T10:00:00Z"`, time.Time{}, "not an RFC 3339 time"}, {`"2026-11-26T10:00Z"`, time.Time{}, "not an RFC 3339 time"},
		{`"2026-11-26T10:00:00Z\u001b[2J"`, time.Time{}, `\x1b`}, {`{}`, time.Time{}, "not a time"}, {`[]`, time.Time{}, "not a time"}, {`true`, time.Time{}, "not a time"},
		{`"` + strings.Repeat("x", 1000) + `"`, time.Time{}, "…"}, {`NaN`, time.Time{}, "1970"}, {`1e999`, time.Time{}, "out of range"},

		{"x1a6b080320", now, ""}, {"x1b18eb9a4c0f4f0000", time.Unix(0, 0x18eb9a4c0f4f0000), ""}, {"xfb41dac200c8400000", now.Add(time.Second), ""},
		{"xc11a6b080320", now, ""}, {"xc1fb41dac200c8400000", now.Add(time.Second), ""}, {"xc074323032362d31312d32365431303a30303a30305a", now, ""},
		{"x7f6a323032362d31312d32366a5431303a30303a30305aff", now, ""}, {"xc11b000001a20c0e8000", time.Time{}, "tag 1"}, {"xf7", time.Time{}, ""},
		{"x40", time.Time{}, "not a time"}, {"xf97e00", time.Time{}, "1970"}, {"xc120", time.Time{}, "1970"}, {"xc249010000000000000000", time.Time{}, "2261"},
	} {
		v := RawValue(LegacyJSON, []byte(c.text))
		if raw, ok := strings.CutPrefix(c.text, "x"); ok {
			v = RawValue(CBOR, unhex(t, raw))
		}
		got, err := ReadTime(v)
		switch {
		case c.bad != "":
			if !errors.Is(err, ErrTime) || !strings.Contains(err.Error(), c.bad) || len(err.Error()) > 200 {
				t.Errorf("%s: %v, %v, want %s", c.text, got, err, c.bad)
			}
		case err != nil || !got.Equal(c.want):
			t.Errorf("%s: %v, %v, want %v", c.text, got, err, c.want)
		}
	}
	if got, err := ReadTime(ValueOf(now)); err != nil || !got.Equal(now) {
		t.Errorf("a time of Go: %v, %v", got, err)
	}
}

// FuzzReadTime: whatever a program writes is a time from 1970 to 2261, unknown, or refused as a time.
func FuzzReadTime(f *testing.F) {
	for _, seed := range []string{"1795687200", "1.7e18", `"2026-11-26T10:00:00Z"`, `"2016-12-31T23:59:60Z"`, `"2026-11-26 10:00:00"`, "-1", "\xc1\xfb"} {
		f.Add([]byte(seed), seed[0] > 0x7f)
	}
	f.Fuzz(func(t *testing.T, data []byte, cbor bool) {
		c := JSON
		if cbor {
			c = CBOR
		}
		at, err := ReadTime(RawValue(c, data))
		switch {
		case err != nil && !errors.Is(err, ErrTime):
			t.Fatalf("%q: %v", data, err)
		case err == nil && !at.IsZero() && !Tellable(at):
			t.Fatalf("%q: %v", data, at)
		case err != nil && !at.IsZero():
			t.Fatalf("%q: %v and %v", data, at, err)
		}
	})
}
