package sensors

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A story is what a hub was told, in order, one line each, with the seconds since the beginning.
type story struct {
	mu     sync.Mutex
	start  time.Time
	lines  []string
	refuse error // Connect's error
	deaf   error // Report's error
}

func newStory() *story { return &story{start: time.Now()} }

func (s *story) tell(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, fmt.Sprintf("%g ", time.Since(s.start).Seconds())+fmt.Sprintf(format, args...))
}

// told returns what was told since it was asked last.
func (s *story) told() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := s.lines
	s.lines = nil
	return lines
}

// expect fails unless this was told since it was asked last.
func (s *story) expect(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := s.told(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

func (s *story) Connect(_ context.Context, name string, events, units []string) (Sender, error) {
	s.mu.Lock()
	refuse := s.refuse
	s.mu.Unlock()
	if refuse != nil {
		return nil, refuse
	}
	s.tell("%s + %v %v", name, events, units)
	return &teller{s, name, events}, nil
}

type teller struct {
	story  *story
	name   string
	events []string
}

func (t *teller) Report(_ context.Context, event int, r Reading) error {
	t.story.mu.Lock()
	deaf := t.story.deaf
	t.story.mu.Unlock()
	if deaf == nil {
		t.story.tell("%s %s %s", t.name, t.events[event], r)
	}
	return deaf
}

func (t *teller) Disconnect(reason string) { t.story.tell("%s - %s", t.name, reason) }

// A fake is a sensor that a test decides about.
type fake struct {
	measures []Quantity
	takes    time.Duration                // for a reading
	read     func(values []float64) error // nil: always 1
	opened   atomic.Int64
	closed   atomic.Int64
	failOpen atomic.Pointer[error]
	busy     *sync.Mutex // held while it reads
	overlap  *bool
}

var warmth = []Quantity{{Name: "temp", Unit: Celsius, Min: -40, Max: 85, Resolution: 0.01}}

func newFake() *fake { return &fake{measures: warmth} }

func (f *fake) open(context.Context) (Sensor, error) {
	if err := f.failOpen.Load(); err != nil && *err != nil {
		return nil, *err
	}
	f.opened.Add(1)
	return f, nil
}

// refuse makes it fail to open, or succeed again.
func (f *fake) refuse(err error) { f.failOpen.Store(&err) }

func (f *fake) Quantities() []Quantity { return f.measures }

func (f *fake) Read(ctx context.Context, values []float64) error {
	if f.busy != nil {
		if !f.busy.TryLock() {
			*f.overlap = true
			f.busy.Lock()
		}
		defer f.busy.Unlock()
	}
	if f.takes > 0 {
		select {
		case <-time.After(f.takes):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if f.read == nil {
		values[0] = 1
		return nil
	}
	return f.read(values)
}

func (f *fake) Close() error { f.closed.Add(1); return nil }

var errNoAnswer = errors.New("no answer")

// run runs a poller in virtual time, lets f look at it, and ends it.
func run(t *testing.T, s *story, sources []Source, o PollerOptions, f func()) {
	t.Helper()
	p, err := NewPoller(s, sources, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	f()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// bubble runs f where time is virtual.
func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}
