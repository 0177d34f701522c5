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
//	_now/pump/state         the newest data of the event, which the server keeps; and homeassistant/…, what it announces: see IsKept
//
// A level that begins with "_" is the hub's own word. What a name has of its own that a topic cannot say is escaped, as "%" and two
// hexadecimal digits: "%", "+" and "#" anywhere, "/" in an event or a method, "_" where a level begins, and "$" where a topic does.
package topic

import (
	"errors"
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
	Kept                // messages of the server's own: see IsKept
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
	if n.Sender, err = Unescape(sender); err == nil {
		n.Name, err = Unescape(last)
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
		return Escape(event, true, true)
	}
	switch event {
	case Connect, Disconnect:
		return Escape(sender, false, true) + "/" + stateWord
	case Gap:
		return Escape(sender, false, true) + "/" + gapWord
	}
	return Escape(sender, false, true) + "/" + Escape(event, true, false)
}

// OfRequest returns the topic of a request.
func OfRequest(sender, method string) string {
	return Escape(sender, false, true) + "/" + requestWord + "/" + Escape(method, true, false)
}

// OfAnswer returns the topic of answers to a request that names no other one.
func OfAnswer(sender, method string) string {
	return Escape(sender, false, true) + "/" + answerWord + "/" + Escape(method, true, false)
}

// OwnAnswers returns the beginning of topics for the answers to requests of one client.
func OwnAnswers(client string) string {
	return answerWord + "/" + Escape(client, true, false) + "/"
}
