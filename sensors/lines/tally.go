package lines

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial"
	"sighub/internal/lockrank"
	"sighub/internal/safetext"
	"sighub/sensors/lines/formats"
)

// A tally is what a Speaker has heard, for everybody to see.
type tally struct {
	mu lockrank.Mutex[lockrank.Leaf]

	state    serial.PortState
	since    time.Time
	baud     int
	lines    uint64
	bytes    uint64    // since the port was opened
	bytesAt  time.Time // of the latest of them
	endless  bool      // none of these ended a line
	half     uint64
	readings uint64
	speed    speed
	refused  map[string]uint64
	refusal  *serial.Refusal
	latest   string
	latestAt time.Time
	recent   []string // the latest lines, if none was understood yet
	good     uint64   // lines that were understood since the port was opened
	strange  time.Time
	senders  map[string]bool
	trouble  map[string]serial.Problem // by sender: why it cannot be added
}

// Bounds of what is kept to be shown.
const (
	shownLine   = 200 // bytes
	recentLines = 12
	shownSender = 32
)

// quote returns a line of a device in quotation marks, in a form that is harmless to print.
func quote(line string) string { return `"` + safetext.Short(line, shownLine) + `"` }

// opened begins anew with a port that was opened.
func (t *tally) opened(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state, t.since, t.good, t.recent, t.strange, t.bytes = serial.PortWaiting, now, 0, nil, time.Time{}, 0
	t.endless = true
	t.senders, t.trouble = make(map[string]bool), make(map[string]serial.Problem)
}

// closed notes that the port is not open any more.
func (t *tally) closed(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state, t.since, t.recent = serial.PortWaiting, now, nil
	t.trouble = make(map[string]serial.Problem)
}

// enter changes the state.
func (t *tally) enter(now time.Time, state serial.PortState) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.state != state {
		t.state, t.since = state, now
	}
}

// line counts a line that has arrived, with the error of reading it.
func (t *tally) line(line string, at time.Time, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines++
	t.endless = false
	t.latest, t.latestAt = line, at
	if err == nil {
		t.good++
		t.recent = nil
		return
	}
	if t.strange.IsZero() {
		t.strange = at
	}
	if t.good == 0 {
		t.recent = append(t.recent[max(0, len(t.recent)+1-recentLines):], line)
	}
}

// addBytes counts bytes that have arrived.
func (t *tally) addBytes(n int, now time.Time) {
	t.mu.Lock()
	t.bytes += uint64(n)
	t.bytesAt = now
	t.mu.Unlock()
}

func (t *tally) addHalf() {
	t.mu.Lock()
	t.endless = false
	t.half++
	t.mu.Unlock()
}

// read counts a reading.
func (t *tally) read(now time.Time) {
	t.mu.Lock()
	t.readings++
	t.speed.add(now)
	t.mu.Unlock()
}

// refuse counts n refusals, and returns how many there are now with this cause.
func (t *tally) refuse(err error, n uint64, at time.Time) uint64 {
	cause := carrier.Cause(err)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refused == nil {
		t.refused = make(map[string]uint64)
	}
	t.refused[cause] += n
	t.refusal = &serial.Refusal{Cause: cause, Error: safetext.Short(err.Error(), shownLine), At: at.UTC()}
	return t.refused[cause]
}

// connected notes that a sender has connected or, with an error, why it cannot.
func (t *tally) connected(name string, err error, now time.Time) (news bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		t.senders[name] = true
		delete(t.trouble, name)
		if t.state != serial.PortConnected {
			t.state, t.since = serial.PortConnected, now
		}
		return true
	}
	before, known := t.trouble[name]
	p := serial.Problem{What: "the sender " + safetext.Short(name, 64) + " cannot be added: " + safetext.Short(err.Error(), shownLine),
		Remedy: "give it another name, with sender", Since: now.UTC()}
	if known && before.What == p.What {
		return false
	}
	if len(t.trouble) < shownSender {
		t.trouble[name] = p
	}
	return true
}

func (t *tally) disconnected(name string) {
	t.mu.Lock()
	delete(t.senders, name)
	t.mu.Unlock()
}

// stillStrange is how long lines that nobody understands are shown as a problem after the latest of them.
const stillStrange = time.Minute

// manyBytes are more than the first line of most devices has.
const manyBytes = 200

// spoken returns what is known of a port whose lines are of a format.
func (t *tally) spoken(now time.Time, o *Options) serial.Spoken {
	t.mu.Lock()
	s := serial.Spoken{
		Speaks: "lines", Format: o.Format, State: t.state, Since: t.since, Baud: t.baud, Lines: t.lines, Readings: t.readings, Half: t.half,
		PerSecond: t.speed.rate(now), Refused: maps.Clone(t.refused), Senders: slices.Sorted(maps.Keys(t.senders)),
	}
	if t.refusal != nil {
		s.LatestRefusal = new(*t.refusal)
	}
	if t.latest != "" {
		s.Latest, s.LatestAt = quote(t.latest), new(t.latestAt.UTC())
	}
	recent, strange := slices.Clone(t.recent), t.strange
	if t.endless && t.bytes >= manyBytes && now.Sub(t.bytesAt) < stillStrange {
		s.Problems = append(s.Problems, serial.Problem{What: fmt.Sprintf("%d bytes have arrived, and no line has ended", t.bytes), Since: t.since.UTC(),
			Remedy: "check the baud, and line_end"})
	}
	for _, name := range slices.Sorted(maps.Keys(t.trouble)) {
		s.Problems = append(s.Problems, t.trouble[name])
	}
	t.mu.Unlock()
	if len(s.Senders) > shownSender {
		s.Senders = s.Senders[:shownSender]
	}
	if len(recent) > 0 && now.Sub(*s.LatestAt) < stillStrange {
		s.Problems = append(s.Problems, misfit(o, recent, strange))
	}
	return s
}

// misfit says that lines arrive and none was understood.
func misfit(o *Options, recent []string, since time.Time) serial.Problem {
	p := serial.Problem{What: "no line was understood as " + o.Format + ": " + quote(recent[len(recent)-1]), Since: since.UTC(),
		Remedy: "check the format and the baud; `sighub try` shows what a format makes of the lines"}
	if look, ok := formats.Looks(recent); ok && look.Format != o.Format {
		p.Remedy = "it looks like " + look.Format + ": write format: " + look.Format
	}
	return p
}

// A speed is how many readings come in a second, of late.
type speed struct {
	begin       time.Time // of the present window
	now, before int       // readings in it, and in the one before
	counted     bool      // there was one before
}

// window is as long as two of them show what is usual.
const window = 10 * time.Second

func (s *speed) add(now time.Time) {
	s.turn(now)
	s.now++
}

func (s *speed) turn(now time.Time) {
	switch passed := now.Sub(s.begin); {
	case s.begin.IsZero() || passed >= 2*window || passed < 0:
		*s = speed{begin: now}
	case passed >= window:
		s.before, s.now, s.counted = s.now, 0, true
		s.begin = s.begin.Add(window)
	}
}

func (s *speed) rate(now time.Time) float64 {
	if s.begin.IsZero() {
		return 0
	}
	s.turn(now)
	passed := now.Sub(s.begin).Seconds()
	if s.counted {
		return float64(s.now+s.before) / (passed + window.Seconds())
	}
	return float64(s.now) / max(passed, 1)
}

// seldom reports whether people are to see the nth of what repeats itself: the first, the tenth, the hundredth and so on.
func seldom(n uint64) bool {
	for n >= 10 && n%10 == 0 {
		n /= 10
	}
	return n == 1
}

// complain counts a refusal, and logs it now and then.
func (s *Speaker) complain(err error, line string, at time.Time) {
	n := s.tally.refuse(err, 1, at)
	level := slog.LevelDebug
	if seldom(n) {
		level = slog.LevelWarn
	}
	s.log.Log(context.Background(), level, "a line, or a value in it, is refused", "cause", carrier.Cause(err), "times", n, "error", err,
		"text", safetext.Short(line, shownLine))
}

// errOverrun says that lines came faster than the hub has taken them.
var errOverrun = carrier.NewRefusal("lines came faster than listeners took them", "slow")

// errLimit says that a line has names beyond what one sender may have.
var errLimit = fmt.Errorf("%w: more events than a sender of lines may have", carrier.ErrLimit)
