// Package client is a connection to an MQTT 5 broker, for a program that has everything on record that it publishes. So there is no
// session and no queue here: what is not acknowledged when the connection ends is published again on the next one.
//
// Messages leave in the order in which they are published, up to the broker's window at a time, and each acknowledgement is told. The
// client of Eclipse Paho, whose packets are used, does the one or the other: to learn of acknowledgements, a goroutine has to wait for
// each message, and then their order is not certain.
package client
