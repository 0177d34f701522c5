package browsertest

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sighub/internal/simulator"
)

// lines are devices on pseudo terminals, whose ports are there when they begin.
func (r role) lines(ctx context.Context, running *sync.WaitGroup) (func() figures, error) {
	sims := make([]*simulator.Simulator, r.Count)
	for i := range sims {
		line, err := simulator.NewPTY(linePath(r.Dir, i))
		if err != nil {
			return nil, err
		}
		o := simulator.Options{Name: fmt.Sprintf("device %03d", i), Counter: true, Rate: float64(time.Second) / float64(r.Every)}
		if err := o.AddSender("probe:volt"); err != nil {
			return nil, err
		}
		if sims[i], err = simulator.New(o, line.Open); err != nil {
			return nil, err
		}
		running.Go(func() {
			_ = sims[i].Run(ctx) // what is not acknowledged at the end does not matter
			_ = line.Close()
		})
	}
	before := 0
	return func() figures {
		all := 0
		for _, sim := range sims {
			_, acknowledged := sim.Counts()
			all += acknowledged
		}
		f := figures{Events: all - before}
		before = all
		return f
	}, nil
}

func linePath(dir string, i int) string { return filepath.Join(dir, fmt.Sprintf("line%03d", i)) }

// serveMany runs a hub with many devices, and returns what tells of these. In a report they are on pseudo terminals. As a test they are
// clients, which take less of a machine that does other things, too.
func serveMany(t *testing.T) (*server, *actor) {
	t.Helper()
	r := role{What: "devices", Count: manyDevices, Every: time.Second / manyRate}
	if *report == 0 {
		s := serve(t)
		r.Addr = s.addr
		return s, act(t, r, false)
	}
	r.What, r.Dir = "lines", t.TempDir()
	devices := act(t, r, false)
	var config strings.Builder
	config.WriteString("serial:\n")
	for i := range r.Count {
		fmt.Fprintf(&config, "  - {port: %s, naming: \"{device}.{sender}\"}\n", linePath(r.Dir, i))
	}
	return serve(t, "--config", configure(t, "%s", config.String())), devices
}
