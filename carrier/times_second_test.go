package carrier

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestSecondRead: a time is read in the same way whatever was read before it.
func TestSecondRead(t *testing.T) {
	var texts []string
	for _, at := range []string{"2026-11-27T20:20:30", "2026-11-27T20:20:31", "2026-11-27t20:20:30", "1970-01-01T00:00:00", "1970-01-01T00:00:01", "2261-12-31T23:59:59", "2262-01-01T00:00:00", "2026-11-27T20:20:60", "2026-02-29T20:20:30"} {
		for _, rest := range []string{"Z", ".5Z", ".000000001Z", ".999999999Z", ".1234567Z", ".12345678Z", ".123456Z", ".12345Z", ".1234Z", ".123Z", ".12Z", ".9999999999Z", ".Z", ",5Z", "+02:00", ".25-01:00", "z", "", ".", ".5", `\u005a`, "Z ", "ZZ"} {
			texts = append(texts, `"`+at+rest+`"`)
		}
		texts = append(texts, `"`+at, `"`+at+`Z`, `"`+at+`.1`)
	}
	texts = append(texts, "0", "null", "1795644000123456789", `""`, `"2026-11-27T20:20"`)
	random := rand.New(rand.NewPCG(1, 2))
	var l second
	known := 0
	for range 200_000 {
		text := []byte(texts[random.IntN(len(texts))])
		before := l
		got, err := l.time(text)
		want, err2 := timeJSON(text)
		if got != want || fmt.Sprint(err) != fmt.Sprint(err2) {
			t.Fatalf("after %s, %s is %d, %v, not %d, %v", before.text, text, got, err, want, err2)
		}
		if before.unix > 0 && before.unix == l.unix && got >= l.unix && got < l.unix+int64(time.Second) {
			known++
		}
	}
	if known < 1000 {
		t.Errorf("the second was known %d times", known)
	}
}

// TestSecondWritten: a time is written in the same way whatever was written before it.
func TestSecondWritten(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var l second
	known := 0
	for range 200_000 {
		at := []int64{-1e9, 0, 1e9, 1795644000e9, 1795644001e9, maxTime / 1e9 * 1e9}[random.IntN(6)]
		for digits := random.IntN(11); digits > 0; digits-- {
			at += []int64{1e9, 1e8, 1e7, 1e6, 1e5, 1e4, 1e3, 1e2, 10, 1}[random.IntN(10)] * random.Int64N(10) % int64(time.Second)
		}
		before := l
		got, want := string(l.append([]byte("x"), at)), `x"`+time.Unix(0, at).UTC().Format(time.RFC3339Nano)+`"`
		if got != want {
			t.Fatalf("after %s, %d is %s, not %s", before.text, at, got, want)
		}
		if before.unix > 0 && before == l {
			known++
		}
	}
	if known < 1000 {
		t.Errorf("the second was known %d times", known)
	}
}
