package topic

import (
	"errors"
	"strings"
)

// A Filter is one of a subscription.
type Filter struct {
	text   string
	levels []string
	wild   bool // it has + or #

	// What has to be listened to. Empty names are any.
	Name
	// Exact reports whether everything that is heard there has a topic of the filter.
	Exact bool
	// States reports whether topics of the kind State may match.
	States bool
}

// ErrFilter is the error of a filter that MQTT does not allow.
var ErrFilter = errors.New("in a topic filter, + is a whole level, and # is the last one")

// ParseFilter reads a filter.
func ParseFilter(text string) (f *Filter, err error) {
	f = &Filter{text: text, levels: strings.Split(text, "/")}
	if text == "" {
		return nil, ErrFilter
	}
	if err := f.wildcards(); err != nil {
		return nil, err
	}
	switch {
	case strings.HasPrefix(text, "$"):
		f.Kind = Nothing
		return f, nil
	case f.levels[0] == answerWord:
		f.Kind = Answer
		return f, nil
	}
	if err := f.resolve(); err != nil {
		return nil, err
	}
	if f.Kind == Event && f.Sender != "" && f.Name.Name != "" {
		f.text = Of(f.Sender, f.Name.Name) // however it was escaped
	}
	return f, nil
}

// wildcards looks at + and #.
func (f *Filter) wildcards() error {
	for i, l := range f.levels {
		if strings.Contains(l, "#") && (l != "#" || i < len(f.levels)-1) || strings.Contains(l, "+") && l != "+" {
			return ErrFilter
		}
		f.wild = f.wild || l == "+" || l == "#"
	}
	return nil
}

// Wild reports whether the filter has wildcards.
func (f *Filter) Wild() bool { return f.wild }

// resolve finds what has to be listened to.
func (f *Filter) resolve() error {
	n := len(f.levels)
	last := f.levels[n-1]
	for i, l := range f.levels {
		switch {
		case l == requestWord:
			return f.resolveRequest(i)
		case l == answerWord && i > 0:
			f.Kind = Answer
			return nil
		case strings.HasPrefix(l, "_") && (i < n-1 || l != stateWord && l != gapWord):
			return errOwn
		}
	}
	if last == "#" {
		f.States = true
		return nil // any event of any sender, of which some match
	}
	sender := strings.Join(f.levels[:n-1], "/")
	known := n > 1 && !strings.Contains(sender, "+")
	var err error
	if known && sender != "" {
		if f.Sender, err = Unescape(sender); err != nil {
			return err
		}
	}
	switch last {
	case "+":
		f.States = true
		// Events of the sender whose names begin with _ have topics that match, too.
		f.Exact = known && sender != ""
		return nil
	case stateWord:
		f.Kind, f.States, f.Exact = State, true, known && sender != ""
		return nil
	case gapWord:
		f.Kind, f.Name.Name, f.Exact = Lost, Gap, known && sender != ""
		return nil
	}
	name, err := Unescape(last)
	if err != nil {
		return err
	}
	switch {
	case n == 1:
		f.Kind = Nothing // no event has such a topic
	case !known:
		return nil // the hub has no listeners to an event of any sender
	case sender == "" || name == "":
		f.Kind = Nothing // no event has such a topic
	default:
		f.Name.Name, f.Exact = name, true
	}
	return nil
}

// resolveRequest reads a filter whose level i says that it is for requests.
func (f *Filter) resolveRequest(i int) error {
	sender := strings.Join(f.levels[:i], "/")
	if i != len(f.levels)-2 || sender == "" || strings.ContainsAny(sender, "+") {
		return errRequest
	}
	f.Kind = Request
	var err error
	if f.Sender, err = Unescape(sender); err != nil {
		return err
	}
	if last := f.levels[i+1]; last != "+" && last != "#" {
		f.Name.Name, err = Unescape(last)
		if err == nil && f.Name.Name == "" {
			err = errRequest
		}
	}
	return err
}

// Matches reports whether a topic is one of the filter's.
func (f *Filter) Matches(topic string) bool {
	if !f.wild {
		return topic == f.text
	}
	if strings.HasPrefix(topic, "$") && (f.levels[0] == "+" || f.levels[0] == "#") {
		return false
	}
	more := true
	for _, l := range f.levels {
		if l == "#" {
			return true
		}
		if !more {
			return false
		}
		level := topic
		if i := strings.IndexByte(topic, '/'); i >= 0 {
			level, topic = topic[:i], topic[i+1:]
		} else {
			more = false
		}
		if l != "+" && l != level {
			return false
		}
	}
	return !more
}

// String returns the filter.
func (f *Filter) String() string { return f.text }
