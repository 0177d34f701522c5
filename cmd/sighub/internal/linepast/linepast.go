// Package linepast remembers how the serial lines of a hub were: a sample a minute, for a day. It is in memory only.
package linepast

import (
	"context"
	"fmt"
	"math"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial"
	"sighub/hub"
	"sighub/internal/lockrank"
)

const (
	// Every is the time from one sample to the next.
	Every = time.Minute

	perDay   = int(24 * time.Hour / Every)
	maxPorts = 64 // of which samples are kept: some 40 KiB each
)

// Method is the method of the hub that returns the samples of a port.
const Method = "port_history"

// A sample is how a line was for a minute.
type sample struct {
	at                 int64 // the end of the minute, in seconds since 1970
	frames, bad, again uint32
	roundTrip, clock   float32 // milliseconds; negative: unknown
}

// A line is a port of which samples are kept.
type line struct {
	samples            []sample // a ring, when it is full
	next               int
	frames, bad, again uint64 // as they were counted at the latest sample
	begun              bool
	seen               time.Time
}

// A Past remembers.
type Past struct {
	ports func() []serial.PortInfo

	mu    lockrank.Mutex[lockrank.Leaf]
	lines map[string]*line
}

// New returns a Past of ports, which remembers while Run does.
func New(ports func() []serial.PortInfo) *Past {
	return &Past{ports: ports, lines: make(map[string]*line)}
}

// Run takes samples until ctx is done.
func (p *Past) Run(ctx context.Context) {
	tick := time.NewTicker(Every)
	defer tick.Stop()
	p.look(time.Now()) // from here it counts
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			p.look(time.Now())
		}
	}
}

// look takes a sample of each port.
func (p *Past) look(now time.Time) {
	list := p.ports()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range list {
		info := &list[i]
		l := p.lines[info.Port]
		if l == nil {
			if len(p.lines) >= maxPorts {
				p.dropOldest()
			}
			l = new(line)
			p.lines[info.Port] = l
		}
		l.take(info, now)
	}
}

// dropOldest forgets the port that was there longest ago. The lock is held.
func (p *Past) dropOldest() {
	oldest := ""
	for name, l := range p.lines {
		if oldest == "" || l.seen.Before(p.lines[oldest].seen) {
			oldest = name
		}
	}
	delete(p.lines, oldest)
}

func (l *line) take(info *serial.PortInfo, now time.Time) {
	again, s := uint64(0), sample{at: now.Unix(), roundTrip: -1, clock: -1}
	if d := info.Device; d != nil {
		again = d.Resent + d.Repeated
		if d.RoundTrip != nil && info.State == serial.PortConnected {
			s.roundTrip = float32(*d.RoundTrip)
		}
		if d.Clock != nil && info.State == serial.PortConnected {
			s.clock = float32(d.Clock.Uncertainty)
		}
	}
	s.frames, s.bad, s.again = since(info.Frames, l.frames), since(info.BadFrames, l.bad), since(again, l.again)
	begun := l.begun
	l.frames, l.bad, l.again, l.begun, l.seen = info.Frames, info.BadFrames, again, true, now
	switch {
	case !begun: // what was counted before belongs to no minute
	case len(l.samples) < perDay:
		l.samples = append(l.samples, s)
	default:
		l.samples[l.next] = s
		l.next = (l.next + 1) % perDay
	}
}

// since returns how many there were since the latest sample. A count that is less than before began anew.
func since(now, before uint64) uint32 {
	if now >= before {
		now -= before
	}
	return uint32(min(now, math.MaxUint32))
}

// A History is how the line of a port was. Each sample is the end of its time in seconds since 1970, and of that time the frames that
// arrived, those that were damaged, those that were sent again, by either side; and at its end the round trip and the uncertainty of
// the clock in milliseconds, null if they were not known.
type History struct {
	Every   int     `json:"every"` // seconds
	Samples [][]any `json:"samples"`
}

// Of returns the history of a port: of one that is not known, none.
func (p *Past) Of(port string) History {
	h := History{Every: int(Every / time.Second), Samples: [][]any{}}
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.lines[port]
	if l == nil {
		return h
	}
	for i := range l.samples {
		s := &l.samples[(l.next+i)%len(l.samples)]
		h.Samples = append(h.Samples, []any{s.at, s.frames, s.bad, s.again, known(s.roundTrip), known(s.clock)})
	}
	return h
}

// known returns a number of milliseconds as it is told: to a tenth, or null.
func known(ms float32) any {
	if ms < 0 || math.IsInf(float64(ms), 0) || ms != ms {
		return nil
	}
	return math.Round(float64(ms)*10) / 10
}

// Methods adds the method to others.
func (p *Past) Methods(others map[string]hub.Method) map[string]hub.Method {
	others[Method] = func(_ context.Context, params carrier.Value) (any, error) {
		var q struct {
			Port string `json:"port"`
		}
		if err := params.Decode(&q); err != nil || q.Port == "" {
			return nil, fmt.Errorf("%s: say port, which is one that list_ports lists", Method)
		}
		return p.Of(q.Port), nil
	}
	return others
}
