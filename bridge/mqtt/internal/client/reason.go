package client

import (
	"fmt"

	"sighub/internal/mqtt/packet"
)

// reasons are the reason codes of MQTT 5.0, table 2-6, that a broker has for a client.
var reasons = map[packet.Reason]string{
	0x80: "it says no more than that",
	0x81: "a malformed packet",
	0x82: "a protocol error",
	0x83: "the broker cannot do that",
	0x84: "it does not speak this version of MQTT",
	0x85: "the client identifier is not valid",
	0x86: "the user name or the password is wrong",
	0x87: "not authorized",
	0x88: "the server is unavailable",
	0x89: "the server is busy",
	0x8a: "banned",
	0x8b: "it is shutting down",
	0x8d: "it has heard nothing for too long",
	0x8e: "another client has connected with the same identifier",
	0x8f: "the topic filter is not valid",
	0x90: "the topic is not valid",
	0x91: "the packet identifier is in use",
	0x93: "too many messages at a time",
	0x94: "a topic alias is not valid",
	0x95: "the packet is too large",
	0x96: "too many messages",
	0x97: "a quota is exceeded",
	0x98: "an administrator did this",
	0x99: "the payload is not valid",
	0x9a: "it does not keep messages (retain)",
	0x9b: "it has QoS 0 only",
	0x9c: "another server is to be used",
	0x9d: "the server has moved",
	0x9f: "too many connections",
	0xa2: "it has no wildcards in subscriptions",
}

func reasonText(code packet.Reason) string {
	if text, known := reasons[code]; known {
		return text
	}
	return fmt.Sprintf("reason 0x%02x", byte(code))
}
