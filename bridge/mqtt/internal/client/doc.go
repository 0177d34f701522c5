// Package client is a connection to an MQTT broker, for a program that has everything on record that it publishes. So there is no
// session and no queue here: what is not acknowledged when the connection ends is published again on the next one.
//
// Messages leave in the order in which they are published, up to the broker's window at a time, and each acknowledgement is told.
//
// MQTT 5 is spoken, and 3.1.1 with brokers that know nothing else. There, messages have no properties, refusals no reasons, and the
// broker does not say how much it takes.
package client
