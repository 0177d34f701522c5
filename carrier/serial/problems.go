package serial

import (
	"fmt"
	"time"

	"sighub/carrier"
	"sighub/internal/safetext"
)

// A Problem is something that is wrong at a port now, and that a user can mend. Its texts are harmless to print.
type Problem struct {
	What   string    `json:"what"`
	Remedy string    `json:"remedy"`
	Since  time.Time `json:"since"`

	cause string
}

// stillOfHello is how long the trouble with a HELLO is shown. A device says HELLO every second.
const stillOfHello = 5 * time.Second

// problems returns what is wrong at the port; the server's lock is held.
func (l *line) problems(now time.Time) (list []Problem) {
	if p := l.heard.echo(now); p != nil {
		list = append(list, *p)
	}
	if e := l.end.LastError; e.Remedy != "" && now.Sub(e.At) < stillOfHello {
		list = append(list, Problem{What: harmless(e.Err.Error()), Remedy: e.Remedy, Since: e.At.UTC()})
	}
	c := l.client
	if c == nil || c.cause != nil { // no device is connected
		if p := l.heard.problem(now); p != nil {
			list = append(list, *p)
		}
		return list
	}
	if c.problem != nil {
		list = append(list, *c.problem)
	}
	if c.hello.OddName && l.options.Name == "" {
		list = append(list, Problem{What: "the device's name is not plain text in UTF-8: it stands here as " + c.hello.Name,
			Remedy: "correct the name in the device's program, or give the device a name at this port, with name", Since: c.since.UTC()})
	}
	return append(list, c.senders.problems()...)
}

func andMore(n int) string { return fmt.Sprintf(" (and %d more)", n) }

// quote returns a text of a device in quotation marks, in a form that is harmless to print.
func quote(s string) string { return `"` + safetext.Line(s) + `"` }

// complain notes and logs what is wrong with the device's dictionary.
func (c *client) complain(err error) {
	what := "the device's dictionary cannot be used, so its readings are refused"
	switch {
	case c.dict != nil && c.hello.Mute:
		what = "the device cannot report what its dictionary names"
	case c.dict != nil:
		what = "not all of the device's dictionary can be used"
	}
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.record.refused.add(1, err)
	c.problem = &Problem{What: what + ": " + harmless(err.Error()), Remedy: "correct the device's program", Since: time.Now().UTC()}
	c.server.log.Error("the dictionary of a device cannot be used as it is", "port", c.line.path, "device", c.name(), "uid", c.device.ID,
		"cause", carrier.Cause(err), "error", err)
}
