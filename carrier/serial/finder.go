package serial

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial/port/discovery"
)

// maxAbsent is how many ports are remembered that a pattern has found and that have gone.
const maxAbsent = 64

// A finder gives a server a line for each port that the options name, when it appears. Only its run changes which
// lines there are.
type finder struct {
	server  *Server
	running sync.WaitGroup // lines
	failed  string         // what was logged
}

// A claim is who a port belongs to.
type claim struct {
	o      *PortOptions
	port   discovery.Port
	served bool
}

// run finds ports until ctx is done, and waits for their lines to end.
func (f *finder) run(ctx context.Context) {
	var patterns []discovery.Pattern
	for _, p := range f.server.o.Ports {
		patterns = append(patterns, p.pattern)
	}
	f.server.o.System.Watch(ctx, patterns, f.server.o.Logger, func(told bool) { f.look(ctx, told) })
	f.running.Wait()
}

// look gives ports that are new a line, has lines try their ports again that may be there now, and forgets lines.
// told: the system says that something has changed.
func (f *finder) look(ctx context.Context, told bool) {
	claims, bare := f.claims()
	s := f.server
	s.mu.Lock()
	lines := slices.Clone(s.lines)
	s.mu.Unlock()
	for _, l := range lines {
		path, known := bare[l.path]
		if !known {
			path = discovery.Real(l.path)
		}
		c := claims[path]
		switch {
		case c == nil: // it has gone, or is about to
			continue
		case c.o != l.o || c.port.Path != l.path:
			// Links appear after what they lead to: meanwhile another pattern may have found that.
			f.end(l, fmt.Errorf("%w: %s is served as %s", carrier.ErrUnplugged, l.path, c.port.Path))
			continue
		}
		c.served = true
		f.remind(l, c.port, told)
	}
	for _, c := range claims {
		if !c.served {
			f.begin(ctx, c.o, c.port)
		}
	}
	f.forget()
}

// claims returns the ports that are there or are named exactly, by their real paths, and what these are. A port belongs
// to the first who names it, but first of all to who names its path.
func (f *finder) claims() (claims map[string]*claim, bare map[string]string) {
	claims, bare = make(map[string]*claim), make(map[string]string)
	for _, exact := range []bool{true, false} {
		for i := range f.server.o.Ports {
			o := &f.server.o.Ports[i]
			if o.pattern.Exact() != exact {
				continue
			}
			ports, err := f.server.o.System.Find(o.pattern)
			f.fault(err)
			f.report(o, len(ports))
			for _, p := range ports {
				path := discovery.Real(p.Path)
				if bare[p.Path] = path; claims[path] == nil {
					claims[path] = &claim{o: o, port: p}
				}
			}
		}
	}
	return claims, bare
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

// remind has a line that waits for its port try again. That of an exact pattern is not known to be there, but if the
// system says that something has changed.
func (f *finder) remind(l *line, p discovery.Port, told bool) {
	f.server.mu.Lock()
	defer f.server.mu.Unlock()
	l.usb = p.USB
	state := l.port.state
	if told && (state == PortAbsent || state == PortFailed) || state == PortAbsent && !l.o.pattern.Exact() {
		l.wanted.Give()
	}
}

// forget ends lines whose ports have gone and of which there is nothing more to tell: no device was there, or it is
// somewhere else now.
func (f *finder) forget() {
	s := f.server
	s.mu.Lock()
	var absent []*line
	for _, l := range s.lines {
		if l.port.state == PortAbsent && !l.o.pattern.Exact() {
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

// report notes whether a pattern names any port, and logs once that it does not.
func (f *finder) report(o *PortOptions, found int) {
	s := f.server
	s.mu.Lock()
	defer s.mu.Unlock()
	_, known := s.barren[o]
	switch {
	case found > 0:
		delete(s.barren, o)
	case !known:
		s.barren[o] = time.Now()
		s.log.Info("no port yet: one is opened as soon as it appears", "port", o.Port)
	}
}

// fault logs once that ports cannot be listed.
func (f *finder) fault(err error) {
	switch {
	case err == nil:
	case f.failed != err.Error():
		f.failed = err.Error()
		f.server.o.Logger.Warn("ports cannot be listed", "error", err)
	}
}
