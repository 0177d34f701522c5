// Package verb has the words for what somebody may want of a hub. It is a package of its own so that the hub and whoever decides
// for it speak of the same words without importing each other.
package verb

import (
	"fmt"
	"strings"
)

// A Verb is what somebody wants to do. The zero Verb is none.
type Verb uint8

// The verbs.
const (
	Add     Verb = 1 + iota // to add a sender
	Trigger                 // to trigger an event of a sender of one's own
	Listen                  // to hear an event, now or from the past
	Request                 // to call a method of a sender
	Admin                   // to see and change what concerns the hub itself
)

var words = [...]string{Add: "add", Trigger: "trigger", Listen: "listen", Request: "request", Admin: "admin"}

// All returns all verbs.
func All() []Verb { return []Verb{Add, Trigger, Listen, Request, Admin} }

// Words returns the words of all verbs.
func Words() []string { return append([]string(nil), words[Add:]...) }

// String returns the word for the verb.
func (v Verb) String() string {
	if v < Add || int(v) >= len(words) {
		return fmt.Sprintf("Verb(%d)", uint8(v))
	}
	return words[v]
}

// Parse returns the verb of a word.
func Parse(word string) (Verb, error) {
	for _, v := range All() {
		if words[v] == word {
			return v, nil
		}
	}
	if word == "history" {
		return 0, fmt.Errorf("history is listening to the past: write %s", Listen)
	}
	return 0, fmt.Errorf("%q is not a verb: write %s", word, strings.Join(Words(), ", "))
}
