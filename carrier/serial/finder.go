package serial

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/port/discovery"
)

// maxAbsent bounds the ports that are remembered though they have gone.
const maxAbsent = 64

// A finder gives a server a line for each port that the options name, when the port appears. Only its run begins and ends
// lines.
type finder struct {
	server  *Server
	running sync.WaitGroup // lines
	logged  string         // the latest error, as logged

	aside []PortInfo // ports that are there and not opened, as they are found
}

// A claim says which options a port belongs to.
type claim struct {
	options *PortOptions
	port    discovery.Port
	served  bool
}

// run finds ports until ctx is done, and waits for their lines to end.
func (f *finder) run(ctx context.Context) {
	var patterns []discovery.Pattern
	for _, p := range f.server.options.Ports {
		patterns = append(patterns, p.pattern)
	}
	f.server.options.System.Watch(ctx, patterns, f.server.options.Logger, f.server.changed, func(told bool) { f.look(ctx, told) })
	f.running.Wait()
}

// look begins lines for new ports, has lines try ports again that may be there now, and ends lines. It is told if the system
// has reported a change.
func (f *finder) look(ctx context.Context, told bool) {
	f.aside = nil
	claims, realPaths := f.claims()
	s := f.server
	s.mu.Lock()
	s.aside = f.aside
	lines := slices.Clone(s.lines)
	s.mu.Unlock()
	for _, l := range lines {
		path, known := realPaths[l.path]
		if !known {
			path = discovery.Real(l.path)
		}
		c := claims[path]
		switch {
		case c == nil && f.isLeft(l): // nobody would notice
			f.end(l, carrier.ErrUnplugged)
			continue
		case c == nil: // the port has gone, or the line is about to notice
			continue
		case c.options != l.options || c.port.Path != l.path:
			// A link appears after its port, which another pattern may have found meanwhile.
			f.end(l, fmt.Errorf("%w: %s is served as %s now", carrier.ErrUnplugged, l.path, c.port.Path))
			continue
		}
		c.served = true
		f.retry(l, c.port, told)
	}
	for _, c := range claims {
		if !c.served && !c.options.Exclude {
			f.begin(ctx, c.options, c.port)
		}
	}
	f.endAbsent()
}

// claims returns the ports that are there or are named by path, by their real paths; and the real paths by the ports' paths.
// A port belongs to the options of the lowest rank that name it, and to the first of these.
func (f *finder) claims() (claims map[string]*claim, realPaths map[string]string) {
	claims, realPaths = make(map[string]*claim), make(map[string]string)
	foreign := make(map[string]bool)
	for r := range ranks {
		for i := range f.server.options.Ports {
			o := &f.server.options.Ports[i]
			if rank(o) != r {
				continue
			}
			ports, err := f.server.options.System.Find(o.pattern)
			f.noteError(err)
			f.notePattern(o, len(ports))
			for _, p := range ports {
				path := discovery.Real(p.Path)
				if realPaths[p.Path] = path; claims[path] != nil || foreign[path] {
					continue
				}
				if what := discovery.Foreign(p); o.Port == discovery.Auto && what != "" {
					foreign[path] = true
					f.leaveForeign(p, what)
					continue
				}
				claims[path] = &claim{options: o, port: p}
				if o.Exclude && discovery.Stamp(p.Path) != "" {
					f.putAside(p, "it is excluded in the configuration", "to serve it, take its exclude out")
				}
			}
		}
	}
	return claims, realPaths
}

func (f *finder) begin(ctx context.Context, o *PortOptions, p discovery.Port) {
	l := newLine(f.server, o, p)
	ctx, l.stop = context.WithCancelCause(ctx)
	f.server.mu.Lock()
	f.server.lines = append(f.server.lines, l)
	f.server.mu.Unlock()
	f.running.Go(func() { l.run(ctx) })
}

func (f *finder) end(l *line, cause error) {
	f.server.mu.Lock()
	f.server.lines = slices.DeleteFunc(f.server.lines, func(x *line) bool { return x == l })
	f.server.mu.Unlock()
	l.stop(cause)
}

// retry has a line that waits for its port try again. That of a port named by path only does so when the system reports a
// change, for the port may not be there.
func (f *finder) retry(l *line, p discovery.Port, told bool) {
	f.server.mu.Lock()
	defer f.server.mu.Unlock()
	l.usb = p.USB
	state := l.port.state
	if state == PortLeft {
		switch at := discovery.Real(l.path); {
		case discovery.Stamp(l.path) != l.stamp:
			l.wanted.Give()
		case filepath.Dir(at) != filepath.Dir(l.path): // the system need not report what changes there
			f.server.changed.Give()
		}
		return
	}
	if l.options.pattern.Remote() {
		return // the system knows nothing of it
	}
	if told && (state == PortAbsent || state == PortFailed) || state == PortAbsent && !l.options.pattern.Exact() {
		l.wanted.Give()
	}
}

// endAbsent ends lines whose ports have gone, if no device was there, or if the device is on another port now.
func (f *finder) endAbsent() {
	s := f.server
	s.mu.Lock()
	var absent []*line
	for _, l := range s.lines {
		if l.port.state == PortAbsent && !l.options.pattern.Exact() {
			absent = append(absent, l)
		}
	}
	slices.SortFunc(absent, func(a, b *line) int { return b.port.since.Compare(a.port.since) })
	over := absent[min(len(absent), maxAbsent):]
	for _, l := range absent[:len(absent)-len(over)] {
		if l.client == nil || s.latest[l.client.device.ID] != nil {
			over = append(over, l)
		}
	}
	s.mu.Unlock()
	for _, l := range over {
		f.end(l, carrier.ErrUnplugged)
	}
}

// notePattern notes whether a pattern matches any port, and logs once that it does not.
func (f *finder) notePattern(o *PortOptions, found int) {
	s := f.server
	s.mu.Lock()
	defer s.mu.Unlock()
	_, known := s.unmatched[o]
	switch {
	case o.Exclude:
	case found > 0:
		delete(s.unmatched, o)
	case !known:
		s.unmatched[o] = time.Now()
		s.log.Info("no port yet: one is opened as soon as it appears", "port", o.Port)
	}
}

func (f *finder) isLeft(l *line) bool {
	f.server.mu.Lock()
	defer f.server.mu.Unlock()
	return l.port.state == PortLeft
}

// noteError logs each reason once for which ports cannot be listed.
func (f *finder) noteError(err error) {
	if err != nil && f.logged != err.Error() {
		f.logged = err.Error()
		f.server.options.Logger.Warn("ports cannot be listed", "error", err)
	}
}
