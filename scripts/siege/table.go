//go:build linux

package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// A verdict is what an attack has done to a hub.
type verdict struct {
	report
	deed    deed
	control report // of the pair at the hub that nobody attacks

	memory      float64 // the most above idle, in MB
	lines       int     // of log
	descriptors int     // more than before, after a while
	goroutines  int     // at the end
	places      counts  // of goroutines
	messages    counts  // of the log
	processor   time.Duration
	span        time.Duration
	stopped     bool // it took so much memory that it was stopped
	died        bool
	alone       bool     // no hub was attacked, so there was no pair
	more        []string // other reasons why it has failed
}

// late is the reason that may be the machine's fault.
const late = "late"

// A table prints verdicts, one a row, as Markdown.
type table struct {
	out    io.Writer
	o      *options
	calm   verdict
	failed int
	rows   int
}

func (t *table) head() error {
	_, err := fmt.Fprintf(t.out, "| %-14s | %7s | %5s | %10s | %8s | %7s | %9s | %5s | %9s | %4s | %4s | %-4s | %s\n|%s\n",
		"attack", "MB", "cores", "p99 ms", "worst ms", "held s", "lost", "shut", "log lines", "fds", "go", "", "attackers, reasons |",
		strings.Repeat("---|", 13))
	return err
}

func (t *table) row(a attack, v *verdict) error {
	if a.name == calm {
		t.calm = *v
	}
	t.rows++
	word, why := "ok", t.why(a, v)
	if len(why) > 0 {
		word = "FAIL"
		t.failed++
	}
	if v.alone {
		_, err := fmt.Fprintf(t.out, "| %-14s | %7.1f | %5s | %10s | %8s | %7s | %9s | %5s | %9s | %4s | %4s | %-4s | %s |\n",
			a.name, v.memory, "-", "-", "-", "-", "-", "-", "-", "-", "-", word, strings.Join(why, "; "))
		return err
	}
	_, err := fmt.Fprintf(t.out, "| %-14s | %7.1f | %5.1f | %10s | %8.0f | %7.1f | %9s | %5s | %9d | %4d | %4d | %-4s | %s |\n",
		a.name, v.memory, v.processor.Seconds()/v.span.Seconds(), fmt.Sprintf("%.1f/%.1f", ms(v.Late), ms(v.control.Late)), ms(v.Worst), v.Held.Seconds(),
		fmt.Sprintf("%d/%d", v.Lost+v.Doubled+v.Refused, v.Sent), fmt.Sprintf("%d/%d", v.Shut, v.Doors), v.lines, v.descriptors,
		v.goroutines, word, strings.Trim(v.deed.String()+": "+strings.Join(why, "; "), ": "))
	return err
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// why returns why the hub has not withstood.
func (t *table) why(a attack, v *verdict) []string {
	why := v.more
	add := func(bad bool, format string, args ...any) {
		if bad {
			why = append(why, fmt.Sprintf(format, args...))
		}
	}
	add(v.memory > t.o.memory, "memory")
	add(v.stopped, "stopped at %d MB", tooMuch)
	add(v.died && !v.stopped, "the hub ended")
	if v.alone || v.stopped || v.died {
		return why
	}
	add(v.Late > max(t.o.late, 2*v.control.Late), late)
	add(v.Lost > 0, "%d lost", v.Lost)
	add(v.Doubled > 0, "%d doubled", v.Doubled)
	add(v.Refused > 0, "%d refused", v.Refused)
	add(v.Cut > 0, "the pair was disconnected %d times", v.Cut)
	add(v.Sent == 0, "the pair sent nothing")
	add(v.Held-v.control.Held > t.o.held, "the prey was held up")
	add(v.Shut > v.control.Shut, "no way in")
	// A span that is shorter than a minute may have the lines of a minute.
	add(float64(v.lines) > float64(t.o.lines)*max(1, v.span.Minutes()), "log, of which %s", v.messages.most())
	add(v.descriptors > 1, "descriptors")
	const spare = 8 // of visitors, and of a runtime that has met more of the world
	add(t.calm.goroutines > 0 && v.goroutines > t.calm.goroutines+spare, "goroutines, of which %s", v.places.most())
	add(a.name != calm && v.deed == deed{}, "the attack did nothing")
	return why
}

func (t *table) foot() error {
	_, err := fmt.Fprintf(t.out, "\nMB: resident memory above idle, at most %g. cores: how much the hub computes. p99: of the well-behaved pair beside the attack,\n"+
		"at most %g ms, or twice that of the pair at a hub that nobody attacks on the same machine, after the slash. held: how long a\n"+
		"sender was held up by listeners of the attackers, at most %g s. lost: events lost, doubled or refused, of all. shut: visitors\n"+
		"who were not served within %g s, of all. log lines: at most %d a minute. fds: descriptors more than before, afterwards. go:\n"+
		"goroutines, afterwards.\n%d of %d attacks withstood\n",
		t.o.memory, ms(t.o.late), t.o.held.Seconds(), doorPatience.Seconds(), t.o.lines, t.rows-t.failed, t.rows)
	return err
}
