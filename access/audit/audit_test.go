package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"sighub/internal/safetext"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// records parses lines, each of which is JSON and harmless.
func records(t *testing.T, text string) (list []Record) {
	t.Helper()
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		if line == "" {
			continue
		}
		var r Record
		if err := json.Unmarshal([]byte(line), &r); err != nil || safetext.Check(line) != nil {
			t.Fatalf("%q: %v, %v", line, err, safetext.Check(line))
		}
		list = append(list, r)
	}
	return list
}

func open(t *testing.T, o Options) *Log {
	t.Helper()
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func closeLog(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestRecord(t *testing.T) {
	var out bytes.Buffer
	l := open(t, Options{Writer: &out})
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	l.Record(Record{Time: at, Event: Denied, Verdict: Refused, Who: "alice", From: "192.168.1.7:4711", Verb: "listen", Sender: "light", Name: "lux", Rule: "access.yaml:3"})
	closeLog(t, l)
	closeLog(t, l)
	l.Record(Record{Event: Login})
	want := `{"time":"2026-01-02T03:04:05Z","event":"denied","verdict":"denied","who":"alice","from":"192.168.1.7:4711","verb":"listen","sender":"light","name":"lux","rule":"access.yaml:3"}` + "\n"
	if out.String() != want {
		t.Errorf("%s\nwant\n%s", out.String(), want)
	}
	var none *Log
	none.Record(Record{Event: Login})
	closeLog(t, none)
}

// TestStrangers: whatever is in a record, it is one harmless line, short, and without a secret.
func TestStrangers(t *testing.T) {
	var out bytes.Buffer
	l := open(t, Options{Writer: &out})
	token := "sgh_" + strings.Repeat("7", 52)
	long := strings.Repeat("\u202e\x1b[2J\xff\u00ad", 5000)
	l.Record(Record{
		Event: Event("a\nb"), Verdict: "\x1b", Who: token, From: long, Verb: "x" + token + "y", Sender: "\n{}", Name: strings.ToUpper(token), Rule: "\"}\n",
		Cause: "$argon2id$v=19$m=19456,t=2,p=1$abc$def", Detail: "pi.local:3000/7A8G-0000-0000-0000-1201-23WX-AAAA " + token + long,
	})
	closeLog(t, l)
	list := records(t, out.String())
	if uid := "123e4567-e89b-12d3-a456-426614174000"; harmless(uid, 100) != uid {
		t.Error("a UUID is taken for a secret")
	}
	if len(list) != 1 || strings.Contains(strings.ToLower(out.String()), "77777") || strings.Contains(out.String(), "23WX") || strings.Contains(out.String(), "m=19456") || out.Len() > 3000 {
		t.Errorf("%d bytes: %s", out.Len(), out.String())
	}
}

// TestLimits: what comes too often is counted, by its cause and its source, and told once a minute.
func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out safeBuffer
		l := open(t, Options{Writer: &out})
		for range 1000 {
			l.Record(Record{Event: Login, Verdict: Refused, From: "10.0.0.1:4000", Cause: "unknown"})
			l.Record(Record{Event: Policy, Verdict: Allowed, Who: "root"}) // always
			synctest.Wait()
		}
		for range 5 {
			l.Record(Record{Event: Login, Verdict: Refused, From: "10.0.0.2:1", Cause: "unknown"})
			l.Record(Record{Event: Login, Verdict: Allowed, From: "10.0.0.1:1", Who: "alice"})
		}
		synctest.Wait()
		count := func(cause, from string, event Event) (n, times int) {
			for _, r := range records(t, out.take()) {
				if r.Event == event && (cause == "" || r.Cause == cause) && strings.HasPrefix(r.From, from) {
					n++
					times += r.Times
				}
			}
			return n, times
		}
		for _, test := range []struct {
			cause, from string
			event       Event
			want        int
		}{{"unknown", "10.0.0.1", Login, PerSource}, {"unknown", "10.0.0.2", Login, 5}, {"", "10.0.0.1:1", Login, 5}, {"", "", Policy, 1000}} {
			if n, _ := count(test.cause, test.from, test.event); n != test.want {
				t.Errorf("%+v: %d", test, n)
			}
		}
		time.Sleep(window)
		synctest.Wait()
		if n, times := count("unknown", "", Missing); n != 1 || times != 1000-PerSource {
			t.Errorf("%d records of %d that are missing", n, times)
		}
		out.reset()
		for n := range 10_000 { // from as many addresses
			l.Record(Record{Event: Login, Verdict: Refused, From: netip.AddrFrom4([4]byte{10, 1, byte(n >> 8), byte(n)}).String(), Cause: "unknown"})
		}
		if len(l.counts) != 1 || len(l.counts[counted{Login, Refused, "unknown"}].sources) != PerCause {
			t.Errorf("%d causes are counted", len(l.counts))
		}
		for n := range 10_000 {
			l.Record(Record{Event: Denied, From: "2001:db8::" + fmt.Sprintf("%x", n), Cause: fmt.Sprint(n)})
		}
		if len(l.counts) > maxCauses+1 {
			t.Errorf("%d causes are counted", len(l.counts))
		}
		closeLog(t, l)
		if n, times := count("unknown", "", Missing); n != 1 || times != 10_000-PerCause {
			t.Errorf("%d records of %d that are missing", n, times)
		}
	})
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func (s *safeBuffer) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.b.Reset()
}

// TestSlowDisk: nobody waits for it, and what finds no place is counted.
func TestSlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		var out safeBuffer
		l := open(t, Options{Writer: writerFunc(func(p []byte) (int, error) { <-hold; return out.Write(p) })})
		const n = maxQueued + 1000
		for range n {
			l.Record(Record{Event: Policy})
		}
		close(hold)
		closeLog(t, l)
		list := records(t, out.take())
		last := list[len(list)-1]
		if last.Event != Missing || last.Cause != "lost" || last.Times+len(list)-1 != n {
			t.Errorf("%d records, then %+v", len(list), last)
		}
	})
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestFailure: a disk that fails is told once a minute, and what was lost afterwards.
func TestFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out safeBuffer
		var told []error
		var full atomic.Bool
		full.Store(true)
		l := open(t, Options{
			Writer: writerFunc(func(p []byte) (int, error) {
				if full.Load() {
					return 0, errors.New("full")
				}
				return out.Write(p)
			}),
			Failed: func(err error) { told = append(told, err) },
		})
		for range 10 {
			l.Record(Record{Event: Policy})
		}
		time.Sleep(3*window + window/2) // what is told of the loss is lost as well
		synctest.Wait()
		full.Store(false)
		time.Sleep(window)
		synctest.Wait()
		closeLog(t, l)
		if list := records(t, out.take()); len(told) != 4 || len(list) != 1 || list[0].Times != 10 {
			t.Errorf("told %d times, %+v", len(told), list)
		}
	})
}

// TestRotation: files are bounded in size and number, and no line is torn, also after a crash.
func TestRotation(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "audit.jsonl")
	if err := os.WriteFile(name, []byte(`{"event":"login"}`+"\n"+`{"event":"lo`), 0o600); err != nil {
		t.Fatal(err)
	}
	const n = 400
	for run := range 2 {
		l := open(t, Options{File: name, Size: leastSize, Files: 3})
		for i := range n {
			l.Record(Record{Event: Policy, Detail: fmt.Sprint(run*n + i)})
		}
		closeLog(t, l)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Fatal(entries, err)
	}
	next := 2 * n
	for _, file := range []string{name, name + ".1", name + ".2"} {
		data, err := os.ReadFile(file)
		info, statErr := os.Stat(file)
		if err != nil || statErr != nil || len(data) > leastSize || len(data) < leastSize/2 && file != name || info.Mode().Perm()&0o027 != 0 {
			t.Errorf("%s has %d bytes: %v %v", file, len(data), err, info)
		}
		list := records(t, string(data))
		for _, r := range slices.Backward(list) {
			if next--; r.Detail != fmt.Sprint(next) {
				t.Fatalf("%s: record %s, want %d", file, r.Detail, next)
			}
		}
	}
}

// TestNoRotation: while a file cannot be renamed, none of the older ones is lost, and the newest does not grow.
func TestNoRotation(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "audit.jsonl")
	if err := errors.Join(os.MkdirAll(name+".2/in the way", 0o700), os.WriteFile(name+".1", []byte("older\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	l := open(t, Options{File: name, Size: leastSize, Files: 3})
	for range 200 {
		l.Record(Record{Event: Policy})
	}
	closeLog(t, l)
	older, err := os.ReadFile(name + ".1")
	if string(older) != "older\n" {
		t.Errorf("%q, %v", older, err)
	}
	data, err := os.ReadFile(name)
	if err != nil || len(data) > leastSize || len(records(t, string(data))) < 20 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}

// TestTornLine: what a crash has left of a line does not swallow the next one.
func TestTornLine(t *testing.T) {
	name := filepath.Join(t.TempDir(), "audit.jsonl")
	if err := os.WriteFile(name, []byte(`{"event":"lo`), 0o600); err != nil {
		t.Fatal(err)
	}
	l := open(t, Options{File: name, Files: 1})
	l.Record(Record{Event: Policy})
	closeLog(t, l)
	data, _ := os.ReadFile(name)
	if lines := strings.Split(string(data), "\n"); len(lines) != 3 || len(records(t, lines[1])) != 1 {
		t.Errorf("%q", data)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink("elsewhere", link); err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]Options{
		"neither a file nor a writer": {}, "regular files only": {File: link}, "regular files": {File: dir}, "no such file": {File: filepath.Join(dir, "no", "file")},
		"1 to 100 files of 4096": {File: filepath.Join(dir, "a"), Size: 1}, "101 files": {File: filepath.Join(dir, "a"), Files: 101},
	} {
		if _, err := Open(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add("alice", "10.0.0.1:3", "light", "\x1b\u202e")
	f.Add("sgh_00000000000", "::1", "a\nb", "\xff")
	f.Fuzz(func(t *testing.T, who, from, sender, detail string) {
		r := Record{Event: Login, Who: who, From: from, Sender: sender, Detail: detail}
		line, err := r.line()
		if err != nil || len(r.source()) > longestText || strings.Count(string(line), "\n") != 1 || secrets.Match(line) {
			t.Fatalf("%q: %v", line, err)
		}
		if got := records(t, string(line)); len(got) != 1 {
			t.Fatalf("%q", line)
		}
	})
}
