// Package topic says which names of a hub an MQTT topic stands for, and which topics a filter has.
//
// The last level of a topic is an event, and what stands before it is the sender:
//
//	pump/state              the event "state" of the sender "pump"
//	tele/kitchen/SENSOR     the event "SENSOR" of the sender "tele/kitchen"
//	pump/_state             whether the sender is connected
//	pump/_gap               what was lost of it
//	pump/_request/start     a request of it, by its method "start"
//	pump/_answer/start      the answer, where the request names no other topic
//	_answer/any/thing       topics for answers, of whoever subscribes to them
//
// A level that begins with "_" is the hub's own word. What a name has of its own that a topic cannot say is escaped, as "%" and two
// hexadecimal digits: "%", "+" and "#" anywhere, "/" in an event or a method, "_" where a level begins, and "$" where a topic does.
package topic

import (
	"errors"
	"fmt"
	"strings"
)

// The events of a hub that have words of their own in topics.
const (
	Connect    = "#connect"
	Disconnect = "#disconnect"
	Gap        = "#gap"
)

// The hub's own words.
const (
	stateWord   = "_state"
	gapWord     = "_gap"
	requestWord = "_request"
	answerWord  = "_answer"
)

// A Kind says what a topic or a filter is about.
type Kind int

// The kinds.
const (
	Event   Kind = iota // an event of a sender
	State               // whether a sender is connected
	Lost                // gaps
	Request             // a request of a sender
	Answer              // answers to requests
	Nothing             // of a filter: topics that begin with $, which this server does not have
)

// A Name is what a topic stands for.
type Name struct {
	Kind   Kind
	Sender string // of an Answer: empty, unless it is that of a method
	Name   string // of the event or the method; of a filter, empty is any
}

// Errors of Parse and ParseFilter.
var (
	errLevels  = errors.New("a topic needs a sender and an event, as in pump/state")
	errOwn     = errors.New("a level that begins with _ is a word of the hub's own: write %5F for the sign")
	errDollar  = errors.New("topics that begin with $ are not for clients: write %24 for the sign")
	errRequest = errors.New("a filter for requests names one sender, and one method or +, as in pump/_request/+")
)

// Parse returns what the topic of a message stands for.
func Parse(topic string) (n Name, err error) {
	if strings.HasPrefix(topic, "$") {
		return n, errDollar
	}
	if strings.HasPrefix(topic, answerWord+"/") {
		return Name{Kind: Answer}, nil
	}
	sender, last := cut(topic)
	if before, word := cut(sender); word == requestWord || word == answerWord {
		n.Kind, sender = Request, before
		if word == answerWord {
			n.Kind = Answer
		}
	} else if strings.HasPrefix(last, "_") {
		return n, errOwn
	}
	if sender == "" || last == "" {
		return n, errLevels
	}
	if strings.HasPrefix(sender, "_") || strings.Contains(sender, "/_") {
		return n, errOwn
	}
	if n.Sender, err = unescape(sender); err == nil {
		n.Name, err = unescape(last)
	}
	return n, err
}

// cut cuts off the last level.
func cut(topic string) (before, last string) {
	i := strings.LastIndexByte(topic, '/')
	if i < 0 {
		return "", topic
	}
	return topic[:i], topic[i+1:]
}

// Of returns the topic of an event of a sender.
func Of(sender, event string) string {
	if sender == "" {
		if event == Gap {
			return gapWord
		}
		return escape(event, true, true)
	}
	switch event {
	case Connect, Disconnect:
		return escape(sender, false, true) + "/" + stateWord
	case Gap:
		return escape(sender, false, true) + "/" + gapWord
	}
	return escape(sender, false, true) + "/" + escape(event, true, false)
}

// OfRequest returns the topic of a request.
func OfRequest(sender, method string) string {
	return escape(sender, false, true) + "/" + requestWord + "/" + escape(method, true, false)
}

// OfAnswer returns the topic of answers to a request that names no other one.
func OfAnswer(sender, method string) string {
	return escape(sender, false, true) + "/" + answerWord + "/" + escape(method, true, false)
}

// OwnAnswers returns the beginning of topics for the answers to requests of one client.
func OwnAnswers(client string) string { return answerWord + "/" + escape(client, true, false) + "/" }

// escape writes a name as a part of a topic: as one level, or as all of a sender's; first: the topic begins with it.
func escape(name string, level, first bool) string {
	if !strings.ContainsAny(name, "%+#/_$") {
		return name
	}
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		begins := i == 0 || name[i-1] == '/' && !level
		switch {
		case c == '%', c == '+', c == '#', c == '/' && level, c == '_' && begins, c == '$' && i == 0 && first:
			fmt.Fprintf(&b, "%%%02X", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// unescape is the reverse of escape.
func unescape(text string) (string, error) {
	i := strings.IndexByte(text, '%')
	if i < 0 {
		return text, nil
	}
	b := []byte(text[:i])
	for ; i < len(text); i++ {
		if text[i] != '%' {
			b = append(b, text[i])
			continue
		}
		if i+2 >= len(text) || hex(text[i+1]) < 0 || hex(text[i+2]) < 0 {
			return "", errors.New("after % stand two hexadecimal digits: write %25 for the sign")
		}
		b = append(b, byte(hex(text[i+1])<<4|hex(text[i+2])))
		i += 2
	}
	return string(b), nil
}

func hex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	default:
		return -1
	}
}
