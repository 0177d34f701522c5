package serial

import (
	"encoding/hex"
	"fmt"
	"log/slog"
	"time"

	"sighub/carrier"
	"sighub/internal/safetext"
)

// A Refusal is something of a device that the hub has refused.
type Refusal struct {
	Cause string    `json:"cause"` // in one word: see [carrier.Cause]
	Error string    `json:"error"` // in words
	At    time.Time `json:"at"`
}

// refusals are what the hub has refused of a device since it began to remember it. The handler counts, too: see
// [carrier.Client]. The server's lock guards latest.
type refusals struct {
	carrier.Refusals
	latest *Refusal
}

// note notes the latest refusal, which is counted elsewhere.
func (r *refusals) note(err error) {
	r.latest = &Refusal{Cause: carrier.Cause(err), Error: harmless(err.Error()), At: time.Now().UTC()}
}

// harmless returns a text that may contain what a stranger wrote in a form that can be kept and printed.
func harmless(text string) string {
	const most = 300 // bytes
	return safetext.Short(text, most)
}

// add counts and notes n refusals.
func (r *refusals) add(n int, err error) {
	r.Add(carrier.Cause(err), uint64(n))
	r.note(err)
}

// refuse counts and logs that something of the device is refused that is not handed on. What is one word. The
// server's lock is held.
func (c *client) refuse(what string, err error, args ...any) {
	c.record.refused.add(1, err)
	c.logRefusal(what, err, args...)
}

// logRefusal logs that something of the device is refused. The server's lock is held.
func (c *client) logRefusal(what string, err error, args ...any) {
	args = append([]any{"port", c.line.path, "device", c.name(), "uid", c.device.ID, "what", what}, args...)
	c.server.log.Warn("the hub refuses something of a device", append(args, "cause", carrier.Cause(err), "error", err)...)
}

// shownBytes are logged in hexadecimal: the first of them, if there are many.
type shownBytes []byte

const mostShown = 64

// LogValue implements [slog.LogValuer].
func (b shownBytes) LogValue() slog.Value {
	if len(b) > mostShown {
		return slog.StringValue(fmt.Sprintf("%s… (%d bytes)", hex.EncodeToString(b[:mostShown]), len(b)))
	}
	return slog.StringValue(hex.EncodeToString(b))
}
