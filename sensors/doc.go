// Package sensors makes the sensors of the gateway itself senders of a hub.
//
// A [Sensor] measures one or more quantities, each described by a [Quantity]. A measured value is a [Reading]. A [Poller]
// reads sensors periodically and makes each a sender. The sender connects when the sensor answers. It disconnects, with a
// reason, when the sensor stops answering, as the senders of a device do when its cable is pulled.
//
// The subpackages have the sensors themselves: drivers has those on I2C and 1-Wire, kernel those that Linux supports, and
// simulated those that need no hardware.
package sensors
