package topic

import "strings"

// Topics whose messages a server has of its own, and keeps: what is announced, and what is now.
const (
	Announcements = "homeassistant/"         // the prefix that Home Assistant has by default
	Status        = Announcements + "status" // where it says that it has started
	Now           = "_now/"
)

// IsKept reports whether a topic, or a filter, begins with the prefix of kept messages.
func IsKept(text string) bool {
	return strings.HasPrefix(text, Announcements) || strings.HasPrefix(text, Now)
}

// ParseKept reads a filter for which IsKept is true. Filters that begin otherwise have no such topics, whatever wildcards they have.
func ParseKept(text string) (*Filter, error) {
	f := &Filter{text: text, levels: strings.Split(text, "/"), Name: Name{Kind: Kept}}
	return f, f.wildcards()
}
