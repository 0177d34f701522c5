package rights

import (
	"fmt"

	"sighub/carrier"
	"sighub/hub/verb"
	"sighub/internal/safetext"
)

// Free are the methods of the protocol that need no right of their own: they concern what the client has registered, for which it
// had a right, or they look at what they are asked for, and answer with what the client may know.
var free = map[string]bool{
	"get_version": true, "list_senders": true, "add_sender": true, "remove_sender": true, "add_listener": true,
	"remove_listener": true, "signal": true, "request": true, "history": true, "last_events": true, "get_position": true,
	"acknowledge": true,
}

// ForMethod returns the verb that a method of the protocol needs, whatever its params are; 0: none. All others concern the hub.
func ForMethod(method string) verb.Verb {
	if free[method] {
		return 0
	}
	return verb.Admin
}

// maxShown is how much of a name a refusal shows, in bytes.
const maxShown = 64

// Denied returns the error of somebody who may not do something. It has nothing in it but what was asked for, so it does not tell
// whether that exists.
func Denied(v verb.Verb, sender, name string) error {
	quoted := func(what, text string) string {
		if text == "" {
			return "any " + what
		}
		return what + ` "` + safetext.Short(text, maxShown) + `"`
	}
	var what string
	switch v {
	case verb.Add:
		what = "add " + quoted("sender", sender)
	case verb.Trigger:
		what = "trigger " + quoted("event", name) + " of " + quoted("sender", sender)
	case verb.Listen:
		what = "listen to " + quoted("event", name) + " of " + quoted("sender", sender)
	case verb.Request:
		what = "request " + quoted("method", name) + " of " + quoted("sender", sender)
	default:
		what = "call " + quoted("method", name) + ", which is for admins"
	}
	return fmt.Errorf("%w: this client may not %s: a rule %q in the hub's access file would allow it", carrier.ErrDenied, what, v)
}
