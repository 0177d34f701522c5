package serial

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"sighub/carrier/serial/port/discovery"
)

// A port that nobody has named is only looked at: nothing is written to it until a device of the hub's has said HELLO, and it is let go
// if none does. It is looked at again when it was plugged in anew, or when its device file has changed.
const (
	busyPatience = time.Minute // for which a port may be busy: when it has just appeared, other programs look at it, too
	sooner       = 3           // is how many times sooner a port is let go when what is there is known
)

// A consideringEnd is the hub's end of a line that may be let go.
type consideringEnd struct {
	listeningEnd
	line *line
}

// Expire implements endpoint.End.
func (e consideringEnd) Expire(now time.Time) (again bool) {
	again = e.listeningEnd.Expire(now)
	return e.line.consider(now) || again
}

// leftError says why a port was let go.
type leftError struct {
	what, remedy string
}

func (e *leftError) Error() string { return e.what }

// Remedy says what to do to have it served: see port.Remedy.
func (e *leftError) Remedy() string { return e.remedy }

// toServe says how a port is served that is left alone.
func toServe(path string) string {
	return "to serve it, name it, beside auto if you have that: under serial, write {port: " + path + "}"
}

// polite reports whether nobody has named the port.
func (l *line) polite() bool { return l.options.Port == discovery.Auto }

// consider lets go of a port where no device is, or reports that it has to be looked at again. The server's lock is held.
func (l *line) consider(now time.Time) (again bool) {
	if !l.polite() || l.left != nil || l.end.Stats.Frames > 0 {
		return false
	}
	look, what := l.server.options.Look, stranger(l.heard.tail)
	text := l.heard.isText(now)
	known := what != ""
	switch {
	case known:
		what = "this is " + what
	case text:
		what = "it prints text: " + l.heard.text
	case len(l.heard.tail) > 0:
		what = "what arrives is neither text nor from a device of the hub's"
	default:
		what = "nothing has arrived"
	}
	if known {
		look /= sooner
	}
	if now.Sub(l.openedAt) < look {
		return true
	}
	l.left = &leftError{what + ", and no device has said HELLO within " + look.String() + ": it is left to other programs", toServe(l.path)}
	l.release()
	return false
}

// busyFor lets go of a port that another program has had for long. It reports whether it did.
func (l *line) busyFor(now time.Time, err error) bool {
	if !l.polite() || !errors.Is(err, syscall.EBUSY) {
		return false
	}
	l.server.mu.Lock()
	defer l.server.mu.Unlock()
	if now.Sub(l.port.since) < busyPatience {
		return false
	}
	l.left = &leftError{reason(err) + ": it is left to that program", "stop the other program, then plug the adapter in anew; " + toServe(l.path)}
	return true
}

// stayAway waits until a port that was let go is plugged in anew.
func (l *line) stayAway(ctx context.Context) {
	l.server.mu.Lock()
	why := l.left
	l.stamp = discovery.Stamp(l.path)
	select {
	case <-l.wanted: // before it was let go
	default:
	}
	l.port.err = nil
	l.port.enter(time.Now(), PortLeft, why)
	l.server.mu.Unlock()
	l.server.options.Logger.Info("a port is let go", "port", l.path, "why", why.what, "remedy", why.remedy)
	select {
	case <-ctx.Done():
		return
	case <-l.wanted:
	}
	l.server.mu.Lock()
	l.left, l.port = nil, portState{}
	l.server.mu.Unlock()
}

// aside notes a port that is there and is not opened at all. It is told once in the log, and for as long as it is so in Ports.
func (f *finder) putAside(p discovery.Port, why, remedy string) {
	for _, known := range f.server.aside {
		if known.Port == p.Path && known.Reason == why {
			f.aside = append(f.aside, known)
			return
		}
	}
	f.aside = append(f.aside, PortInfo{Port: p.Path, State: PortLeft, Since: time.Now().UTC(), USB: p.USB, Reason: why, Remedy: remedy})
	f.server.options.Logger.Info("a port is left alone", "port", p.Path, "why", why, "remedy", remedy)
}

// leaveForeign leaves a port alone whose adapter is known for something else.
func (f *finder) leaveForeign(p discovery.Port, what string) {
	f.putAside(p, fmt.Sprintf("its USB id %s:%s is that of %s", p.USB.Vendor, p.USB.Product, what), toServe(p.Path))
}

// rank says which options a port belongs to that several name: the lowest. What is excluded by path is never served; then comes what is
// named by path.
func rank(o *PortOptions) int {
	switch exact := o.pattern.Exact(); {
	case exact && o.Exclude:
		return 0
	case exact:
		return 1
	case o.Exclude:
		return 2
	}
	return ranks - 1
}

const ranks = 4
