package homeassistant

import (
	"cmp"
	"strings"

	"sighub/internal/mqtt/topic"
)

// Topics are where a hub's events are, and where its requests are sent to, at a broker or at the hub's own MQTT port.
//
//	<prefix>_state                      {"connected": true}: the hub, unless it has a topic of its own
//	<prefix><sender>/_state             {"connected": true}: a sender
//	<prefix><sender>/<event>            the latest data of an event, in JSON
//	<prefix><sender>/_request/<name>    whatever is published there is sent as a request, with the payload as its parameters, in JSON
//
// A sender whose name has slashes takes as many levels. What a name has that a topic cannot say is escaped, as % and two hexadecimal
// digits: %, + and # anywhere, / in an event or a request, _ where a level begins, and $ where a topic does.
type Topics struct {
	// Prefix is in front of all topics. If it is not empty, it ends with a slash.
	Prefix string
	// Here says whether the hub is there. Empty: the prefix and _state, which is for one hub alone.
	Here string
	// Bare says that those of requests are without it: at the hub's own port, what is kept has a prefix, and what is asked has none.
	Bare bool
}

// The words that stand where a name could be.
const (
	stateWord   = "_state"
	requestWord = "_request"
)

// maxLevels is how many levels the name of a sender may have whose requests are heard.
const maxLevels = 8

// Hub returns the topic that says whether the hub is there.
func (t Topics) Hub() string { return cmp.Or(t.Here, t.Prefix+stateWord) }

// State returns the topic that says whether a sender is connected.
func (t Topics) State(sender string) string { return t.sender(sender) + stateWord }

// Event returns the topic of an event's latest data.
func (t Topics) Event(sender, event string) string { return t.sender(sender) + Level(event) }

// Request returns the topic of a request.
func (t Topics) Request(sender, name string) string {
	if t.Bare {
		t.Prefix = ""
	}
	return t.sender(sender) + requestWord + "/" + Level(name)
}

func (t Topics) sender(name string) string { return t.Prefix + Path(name) + "/" }

// Requests returns the filters of all requests.
func (t Topics) Requests() (list []string) {
	for n := range maxLevels {
		list = append(list, t.Prefix+strings.Repeat("+/", n+1)+requestWord+"/+")
	}
	return list
}

// ParseRequest returns whose request is sent to a topic, and which.
func (t Topics) ParseRequest(sent string) (sender, name string, ok bool) {
	rest, ok := strings.CutPrefix(sent, t.Prefix)
	i := strings.LastIndex(rest, "/"+requestWord+"/")
	if !ok || i < 0 {
		return "", "", false
	}
	sender, err := topic.Unescape(rest[:i])
	name, err2 := topic.Unescape(rest[i+len("/"+requestWord+"/"):])
	return sender, name, err == nil && err2 == nil && sender != "" && name != "" && t.Request(sender, name) == sent
}

// Path writes the name of a sender as the beginning of a topic.
func Path(name string) string { return topic.Escape(name, false, true) }

// Level writes the name of an event or a request as one level of a topic.
func Level(name string) string { return topic.Escape(name, true, false) }
