package topic

import "strings"

// Topics whose messages a server has of its own, and keeps: what is announced, and what is now.
const (
	Announcements = "homeassistant/"         // the prefix that Home Assistant has by default
	Status        = Announcements + "status" // where it says that it has started
	Now           = "_now/"

	config = "/config"                        // ends the topic of an announcement
	own    = Announcements + "device/sighub_" // begins those of the server's own
)

// IsKept reports whether a topic, or a filter, is one of kept messages. Filters that begin otherwise have no such topics, whatever wildcards
// they have; and one with wildcards that begins with the prefix of announcements has no others.
func IsKept(text string) bool {
	if rest, ok := strings.CutPrefix(text, Announcements); ok {
		return text == Status || strings.HasSuffix(rest, config) || strings.ContainsAny(rest, "+#")
	}
	return strings.HasPrefix(text, Now)
}

// IsOwn reports whether a topic of kept messages is the server's own, so that nobody else may write there.
func IsOwn(topic string) bool { return strings.HasPrefix(topic, Now) || strings.HasPrefix(topic, own) }

// ParseKept reads a filter for which IsKept is true.
func ParseKept(text string) (*Filter, error) {
	f := &Filter{text: text, levels: strings.Split(text, "/"), Name: Name{Kind: Kept}}
	return f, f.wildcards()
}
