package homeassistant

import "strings"

// Topics are where a hub's events are, and where its requests are sent to, at a broker or at the hub's own MQTT port.
//
//	<prefix>_state                      {"connected": true}: the hub
//	<prefix><sender>/_state             {"connected": true}: a sender
//	<prefix><sender>/<event>            the latest data of an event, in JSON
//	<prefix><sender>/_request/<name>    whatever is published there is sent as a request, with the payload as its parameters, in JSON
//
// Names are written by [Level].
type Topics struct {
	// Prefix is in front of all topics. If it is not empty, it ends with a slash.
	Prefix string
}

// Hub returns the topic that says whether the hub is there.
func (t Topics) Hub() string { return t.Prefix + stateLevel }

// State returns the topic that says whether a sender is connected.
func (t Topics) State(sender string) string { return t.Prefix + Level(sender) + "/" + stateLevel }

// Event returns the topic of an event's latest data.
func (t Topics) Event(sender, event string) string {
	return t.Prefix + Level(sender) + "/" + Level(event)
}

// Request returns the topic of a request.
func (t Topics) Request(sender, name string) string {
	return t.Prefix + Level(sender) + "/" + requestLevel + "/" + Level(name)
}

// Requests returns the filter of all requests.
func (t Topics) Requests() string { return t.Prefix + "+/" + requestLevel + "/+" }

// ParseRequest returns whose request is sent to a topic.
func (t Topics) ParseRequest(topic string) (sender, name string, ok bool) {
	rest, ok := strings.CutPrefix(topic, t.Prefix)
	levels := strings.Split(rest, "/")
	if !ok || len(levels) != 3 || levels[1] != requestLevel {
		return "", "", false
	}
	sender, ok = Name(levels[0])
	if !ok {
		return "", "", false
	}
	name, ok = Name(levels[2])
	return sender, name, ok
}

// The levels that are no names.
const (
	stateLevel   = "_state"
	requestLevel = "_request"
)

// Level writes a name as one level of a topic. The characters that mean something in topics, / + # and %, and a _ or $ at the
// beginning are written as in URLs: a/b is a%2Fb.
func Level(name string) string {
	if name != "" && (name[0] == '_' || name[0] == '$') || strings.ContainsAny(name, "/+#%") {
		var b strings.Builder
		for i := range len(name) {
			c := name[i]
			if strings.IndexByte("/+#%", c) >= 0 || i == 0 && (c == '_' || c == '$') {
				const digits = "0123456789ABCDEF"
				b.WriteByte('%')
				b.WriteByte(digits[c>>4])
				b.WriteByte(digits[c&15])
				continue
			}
			b.WriteByte(c)
		}
		return b.String()
	}
	return name
}

// Name returns the name that a level stands for. It fails if no name is written in that way.
func Name(level string) (string, bool) {
	name := level
	if strings.Contains(level, "%") {
		var b strings.Builder
		for i := 0; i < len(level); i++ {
			c := level[i]
			if c != '%' {
				b.WriteByte(c)
				continue
			}
			if i+2 >= len(level) {
				return "", false
			}
			high, low := strings.IndexByte("0123456789ABCDEF", level[i+1]), strings.IndexByte("0123456789ABCDEF", level[i+2])
			if high < 0 || low < 0 {
				return "", false
			}
			b.WriteByte(byte(high<<4 | low))
			i += 2
		}
		name = b.String()
	}
	return name, name != "" && Level(name) == level
}
