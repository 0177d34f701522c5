package modbus

import (
	"maps"
	"slices"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial"
	"sighub/internal/lockrank"
	"sighub/internal/safetext"
)

// A tally is what a Speaker has heard, for everybody to see.
type tally struct {
	mu lockrank.Mutex[lockrank.Leaf]

	state    serial.PortState
	since    time.Time
	answers  uint64
	readings uint64
	begun    time.Time
	early    uint64 // readings before begun
	refused  map[string]uint64
	refusal  *serial.Refusal
	senders  map[string]bool
	trouble  map[string]serial.Problem // by what is ill
	slow     time.Time                 // when a block was late last
}

// Bounds of what is shown.
const (
	shownTrouble = 32
	shownSenders = 32
	shownText    = 200 // bytes
	stillSlow    = time.Minute
	window       = time.Minute // in which readings per second are counted
)

// short returns the text of an error in a form that is harmless to print.
func short(err error) string { return safetext.Short(err.Error(), shownText) }

func (t *tally) opened(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state, t.since, t.begun, t.early = serial.PortWaiting, now, now, t.readings
	t.senders, t.trouble = make(map[string]bool), make(map[string]serial.Problem)
}

func (t *tally) closed(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state, t.since, t.trouble = serial.PortWaiting, now, nil
}

// answered counts an answer of a unit.
func (t *tally) answered() {
	t.mu.Lock()
	t.answers++
	t.mu.Unlock()
}

// read counts a reading.
func (t *tally) read(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Sub(t.begun) > window {
		t.begun, t.early = now.Add(-window/2), t.readings-(t.readings-t.early)/2
	}
	t.readings++
}

// refuse counts what is no reading, and returns how many there are now with this cause.
func (t *tally) refuse(err error, at time.Time) uint64 {
	cause := carrier.Cause(err)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refused == nil {
		t.refused = make(map[string]uint64)
	}
	t.refused[cause]++
	t.refusal = &serial.Refusal{Cause: cause, Error: short(err), At: at.UTC()}
	return t.refused[cause]
}

// ill notes what is wrong with something, and reports whether that is news.
func (t *tally) ill(what string, now time.Time, text, remedy string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	before, known := t.trouble[what]
	if known && before.What == text {
		return false
	}
	since := now.UTC()
	if known {
		since = before.Since
	}
	if t.trouble != nil && (known || len(t.trouble) < 2*shownTrouble) {
		t.trouble[what] = serial.Problem{What: safetext.Short(text, 2*shownText), Remedy: remedy, Since: since}
	}
	if len(t.senders) == 0 && t.state != serial.PortSilent {
		t.state, t.since = serial.PortSilent, now
	}
	return true
}

// well notes that nothing is wrong with it any more.
func (t *tally) well(what string) {
	t.mu.Lock()
	delete(t.trouble, what)
	t.mu.Unlock()
}

func (t *tally) connected(name string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.senders[name] = true
	if t.state != serial.PortConnected {
		t.state, t.since = serial.PortConnected, now
	}
}

func (t *tally) disconnected(name string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if delete(t.senders, name); len(t.senders) == 0 {
		t.state, t.since = serial.PortSilent, now
	}
}

func (t *tally) tooSlow(now time.Time) {
	t.mu.Lock()
	t.slow = now
	t.mu.Unlock()
}

// spoken returns what is known.
func (t *tally) spoken(now time.Time) serial.Spoken {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := serial.Spoken{
		State: t.state, Since: t.since, Lines: t.answers, Readings: t.readings, Refused: maps.Clone(t.refused),
		Senders: slices.Sorted(maps.Keys(t.senders)),
	}
	if s.Senders = s.Senders[:min(len(s.Senders), shownSenders)]; !t.begun.IsZero() {
		s.PerSecond = float64(t.readings-t.early) / max(now.Sub(t.begun).Seconds(), 1)
	}
	if t.refusal != nil {
		s.LatestRefusal = new(*t.refusal)
	}
	names := slices.Sorted(maps.Keys(t.trouble))
	for _, what := range names[:min(len(names), shownTrouble)] {
		s.Problems = append(s.Problems, t.trouble[what])
	}
	if !t.slow.IsZero() && now.Sub(t.slow) < stillSlow {
		s.Problems = append(s.Problems, serial.Problem{What: "the bus is too slow for the intervals of its devices", Since: t.slow.UTC(),
			Remedy: "give them longer intervals, or the bus a higher baud"})
	}
	return s
}
