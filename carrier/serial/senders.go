package serial

import (
	"maps"
	"slices"
	"time"

	"sighub/carrier"
)

// The methods of the hub to which this package looks.
const (
	methodAddSender    = "add_sender"
	methodRemoveSender = "remove_sender"
	methodSignal       = "signal"
)

// knownSenders are the senders that a connected device has offered, by its dictionary or by messages: what the hub has
// accepted, and what it refuses at the moment.
type knownSenders struct {
	most     int // that are refused and remembered
	accepted map[string]bool
	refused  map[string]refusedSender
}

type refusedSender struct {
	err   error
	count int // of senders for which this one stands
	since time.Time
}

func newKnownSenders(most int) knownSenders {
	return knownSenders{most: most, accepted: make(map[string]bool), refused: make(map[string]refusedSender)}
}

func (k *knownSenders) accept(name string) {
	k.accepted[name] = true
	delete(k.refused, name)
}

// refuse notes that a sender is refused, which stands for count of them.
func (k *knownSenders) refuse(name string, err error, count int) {
	before, known := k.refused[name]
	if !known && len(k.refused) >= k.most {
		return
	}
	if before.since.IsZero() {
		before.since = time.Now()
	}
	k.refused[name] = refusedSender{err: err, count: count, since: before.since}
}

func (k *knownSenders) remove(name string) {
	delete(k.accepted, name)
	delete(k.refused, name)
}

// note notes what became of a message that adds or removes a sender. It returns err, unless the hub has only refused to add
// what it has added already: a device adds its senders again whenever it is in doubt.
func (k *knownSenders) note(m *carrier.Message, err error) error {
	var name string
	// A message without a name was refused.
	_ = m.Params.Fields(func(key string, v carrier.Value) error {
		if key == "sender" {
			return v.Decode(&name)
		}
		return nil
	})
	switch {
	case m.Method == methodRemoveSender && err == nil:
		k.remove(name)
	case m.Method == methodRemoveSender:
	case err == nil:
		k.accept(name)
	case k.accepted[name]:
		return nil
	default:
		k.refuse(name, err, 1)
	}
	return err
}

// problems returns a problem for each cause for which the hub refuses senders.
func (k *knownSenders) problems() (list []Problem) {
	at := make(map[string]int) // places in list, by cause
	counts := make(map[string]int)
	for _, name := range slices.Sorted(maps.Keys(k.refused)) {
		r := k.refused[name]
		cause := carrier.Cause(r.err)
		counts[cause] += r.count
		i, known := at[cause]
		if !known {
			at[cause] = len(list)
			list = append(list, Problem{What: "the hub refuses the sender " + quote(name) + ": " + harmless(r.err.Error()),
				Remedy: senderRemedy(cause), Since: r.since.UTC(), cause: cause})
			continue
		}
		if r.since.Before(list[i].Since) {
			list[i].Since = r.since.UTC()
		}
	}
	for i := range list {
		if n := counts[list[i].cause]; n > 1 {
			list[i].What += andMore(n - 1)
		}
	}
	return list
}

// senderRemedy returns what a user can do about a sender that is refused for a cause.
func senderRemedy(cause string) string {
	switch cause {
	case carrier.Cause(carrier.ErrLimit):
		return "let the device name fewer senders, or raise the hub's limit of senders"
	case carrier.Cause(carrier.ErrDenied):
		return "give the sender another name, or give this port a naming with {device}"
	case "exists":
		return `give this port the naming "{device}.{sender}", or rename the sender in the device's program`
	default:
		return "rename the sender in the device's program"
	}
}
