package journal

import (
	"context"
	"os"
	"testing"
	"time"
)

// TestReaderPosition: the position at which a reader stands is no later than that of the event that it reads next, although the
// journal is in a later epoch.
func TestReaderPosition(t *testing.T) {
	dir := t.TempDir()
	commit := func(dir string) *Journal {
		t.Helper()
		j, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); _ = j.Serve(ctx, func(Ticket, bool) {}) }()
		t.Cleanup(func() { stop(); <-ended })
		g := j.NewGroup()
		for range 3 {
			g.Add(Event{Topic: Topic{"s", "e"}, JSON: true, Data: []byte("1")})
		}
		g.Append(time.Millisecond)
		if err := j.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		return j
	}
	commit(dir)
	copied := t.TempDir() // has not ended in order
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	j := commit(copied)
	r := j.Read(Query{})
	defer func() { _ = r.Close() }()
	some := make([]Entry, 2)
	for read := 0; read < 6; {
		at := r.Position()
		n, err := r.Next(t.Context(), some)
		if err != nil {
			t.Fatal(err)
		}
		if some[0].Position != at {
			t.Errorf("the reader stands at %v, and reads %v", at, some[0].Position)
		}
		read += n
	}
	if got, want := r.Position(), (Position{2, 7}); got != want {
		t.Errorf("it ends at %v, not %v", got, want)
	}
}
