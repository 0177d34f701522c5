package arguments

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// A pattern says which events are of interest: by sender and by event, each of which may have * for any text and ? for any one
// letter.
type pattern struct{ sender, event string }

// parsePattern reads SENDER or SENDER:EVENT.
func parsePattern(text string) (pattern, error) {
	p := pattern{sender: text, event: "*"}
	if i := strings.LastIndexByte(text, ':'); i >= 0 {
		p = pattern{text[:i], text[i+1:]}
	}
	if p.sender == "" || p.event == "" {
		return p, fmt.Errorf("%q: write SENDER or SENDER:EVENT, where * stands for any", text)
	}
	return p, nil
}

func (p pattern) matches(sender, event string) bool {
	return matches(p.sender, sender) && matches(p.event, event)
}

// A Subscription is what the hub can be asked for; an empty text stands for any.
type Subscription struct{ Sender, Event string }

func (s Subscription) covers(sender, event string) bool {
	return (s.Sender == "" || s.Sender == sender) && (s.Event == "" || s.Event == event)
}

// subscribe returns the smallest Subscription that has all that the pattern matches. The hub has none for an event of any sender,
// unless it is a channel.
func (p pattern) subscribe() Subscription {
	s := Subscription{p.sender, p.event}
	if isGlob(s.Sender) {
		s.Sender = ""
	}
	if isGlob(s.Event) || s.Sender == "" && !strings.HasPrefix(s.Event, "#") {
		s.Event = ""
	}
	return s
}

// Interests are patterns, and what is to be asked of the hub for them.
type Interests struct {
	patterns      []pattern
	Subscriptions []Subscription
}

// NewInterests returns those of the arguments sender and event, where empty stands for any, and of further patterns.
func NewInterests(sender, event string, further []string) (*Interests, error) {
	in := new(Interests)
	if sender != "" || event != "" || len(further) == 0 {
		in.patterns = append(in.patterns, pattern{orAny(sender), orAny(event)})
	}
	for _, text := range further {
		p, err := parsePattern(text)
		if err != nil {
			return nil, err
		}
		in.patterns = append(in.patterns, p)
	}
	if len(in.patterns) > maxPatterns {
		return nil, errors.New("there are too many patterns: use * for many senders")
	}
	for _, p := range in.patterns {
		in.add(p.subscribe())
	}
	return in, nil
}

const maxPatterns = 256

// add adds a Subscription, unless others have all of it.
func (in *Interests) add(s Subscription) {
	kept := in.Subscriptions[:0]
	for _, other := range in.Subscriptions {
		if other.covers(s.Sender, s.Event) {
			return
		}
		if !s.covers(other.Sender, other.Event) {
			kept = append(kept, other)
		}
	}
	kept = append(kept, s)
	in.Subscriptions = kept
}

// Unite has everything asked for with one Subscription.
func (in *Interests) Unite() {
	if len(in.Subscriptions) < 2 {
		return
	}
	one := Subscription{Sender: in.Subscriptions[0].Sender}
	for _, s := range in.Subscriptions {
		if s.Sender != one.Sender {
			one.Sender = ""
		}
	}
	in.Subscriptions = []Subscription{one}
}

// Wants reports whether an event that came through the Subscription of this index is to be told: it is of interest, and has not
// come through one before.
func (in *Interests) Wants(index int, sender, event string) bool {
	for _, earlier := range in.Subscriptions[:index] {
		if earlier.covers(sender, event) {
			return false
		}
	}
	for _, p := range in.patterns {
		if p.matches(sender, event) {
			return true
		}
	}
	return false
}

func orAny(text string) string {
	if text == "" {
		return "*"
	}
	return text
}

func isGlob(text string) bool { return strings.ContainsAny(text, "*?") }

// matches reports whether a text matches a pattern of * and ?. It takes time in proportion to both, whatever they are, and no memory.
func matches(pattern, text string) bool {
	star, from := -1, 0 // the last * seen, and where the text that it stands for ends
	i := 0
	for j := 0; j < len(text); {
		_, letter := utf8.DecodeRuneInString(text[j:])
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, from = i, j
			i++
		case i < len(pattern) && pattern[i] == '?':
			i++
			j += letter
		case strings.HasPrefix(pattern[i:], text[j:j+letter]):
			i += letter
			j += letter
		case star >= 0:
			_, letter = utf8.DecodeRuneInString(text[from:])
			from += letter
			i, j = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}
