// Package packet reads and writes the control packets of MQTT 3.1.1 and 5, for servers and for clients.
//
// What is read is checked as the standards demand it, and lies in the buffer that it was read from: nothing is copied, and nothing
// allocated for a packet PUBLISH or an acknowledgement. An error of this package is an [*Error], whose reason code is what MQTT 5 calls it.
//
// Sources: OASIS, MQTT Version 3.1.1 (October 2014) and MQTT Version 5.0 (March 2019).
package packet

import (
	"errors"
	"fmt"
)

// A Type is the type of a control packet (MQTT 5, table 2-1).
type Type byte

// The types.
const (
	Connect Type = iota + 1
	Connack
	Publish
	Puback
	Pubrec
	Pubrel
	Pubcomp
	Subscribe
	Suback
	Unsubscribe
	Unsuback
	Pingreq
	Pingresp
	Disconnect
	Auth
)

var typeNames = [...]string{
	"type 0", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE", "SUBACK", "UNSUBSCRIBE", "UNSUBACK",
	"PINGREQ", "PINGRESP", "DISCONNECT", "AUTH",
}

// String returns the name that the standard has for the type.
func (t Type) String() string { return typeNames[t&15] }

// The versions, which the standards call protocol levels.
const (
	V311 = 4
	V5   = 5
)

// A Reason is a reason code (MQTT 5, table 2-6).
type Reason byte

// The reasons that a server or a client here has.
const (
	Success               Reason = 0x00
	WithWill              Reason = 0x04
	NoMatchingSubscribers Reason = 0x10
	NoSubscription        Reason = 0x11
	Unspecified           Reason = 0x80
	Malformed             Reason = 0x81
	ProtocolError         Reason = 0x82
	Implementation        Reason = 0x83
	UnsupportedVersion    Reason = 0x84
	BadClientID           Reason = 0x85
	BadLogin              Reason = 0x86
	NotAuthorized         Reason = 0x87
	Unavailable           Reason = 0x88
	ShuttingDown          Reason = 0x8B
	BadAuthMethod         Reason = 0x8C
	KeepAliveTimeout      Reason = 0x8D
	TakenOver             Reason = 0x8E
	BadFilter             Reason = 0x8F
	BadTopic              Reason = 0x90
	ReceiveMaximum        Reason = 0x93
	BadAlias              Reason = 0x94
	TooLarge              Reason = 0x95
	QuotaExceeded         Reason = 0x97
	Administrative        Reason = 0x98
	BadPayload            Reason = 0x99
	NoRetain              Reason = 0x9A
	NoQoS                 Reason = 0x9B
	NoShared              Reason = 0x9E
)

// An Error is what is wrong with a packet.
type Error struct {
	Reason Reason
	Text   string
}

// Error returns the text.
func (e *Error) Error() string {
	return fmt.Sprintf("mqtt: %s (reason 0x%02X)", e.Text, byte(e.Reason))
}

func malformed(format string, args ...any) error {
	return &Error{Malformed, fmt.Sprintf(format, args...)}
}

func protocolError(format string, args ...any) error {
	return &Error{ProtocolError, fmt.Sprintf(format, args...)}
}

// ReasonOf returns the reason code of an error; [Unspecified] if it has none.
func ReasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return Unspecified
}
