package arguments

import (
	"fmt"
	"slices"
)

// A Selection says which events are taken: those that match a pattern, unless they match an exception.
type Selection struct{ patterns, except []pattern }

// NewSelection returns the Selection of patterns and exceptions, each SENDER or SENDER:EVENT. Without a pattern, nothing is taken.
func NewSelection(patterns, except []string) (*Selection, error) {
	s := new(Selection)
	var err error
	if s.patterns, err = parsePatterns(patterns); err != nil {
		return nil, err
	}
	s.except, err = parsePatterns(except)
	return s, err
}

func parsePatterns(texts []string) (list []pattern, err error) {
	if len(texts) > maxPatterns {
		return nil, fmt.Errorf("there are more than %d patterns: use * for many senders", maxPatterns)
	}
	for _, text := range texts {
		p, err := parsePattern(text)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

// CheckPattern returns an error unless a text is SENDER or SENDER:EVENT.
func CheckPattern(text string) error {
	_, err := parsePattern(text)
	return err
}

// All reports whether every event is taken.
func (s *Selection) All() bool {
	return len(s.except) == 0 && slices.Contains(s.patterns, pattern{"*", "*"})
}

// None reports whether no event is taken, whatever its name is.
func (s *Selection) None() bool { return len(s.patterns) == 0 }

// Takes reports whether an event is taken. builtIn says that every sender has this event: what tells that a sender has come or gone,
// or has lost events, belongs to each of its events, so it is taken with any of them.
func (s *Selection) Takes(sender, event string, builtIn bool) bool {
	for _, p := range s.except {
		if p.matches(sender, event) {
			return false
		}
	}
	for _, p := range s.patterns {
		if matches(p.sender, sender) && (builtIn || matches(p.event, event)) {
			return true
		}
	}
	return false
}
