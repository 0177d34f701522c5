// Package sensors brings what hangs on the gateway itself to the hub.
//
// A [Sensor] measures one or more [Quantity]; one reading of one of them is a [Reading]. A [Poller] reads sensors at
// their times and makes each a sender of the hub: it connects when the sensor answers and disconnects, with a reason,
// when it no longer does, as a device does whose cable is pulled.
//
// The subpackages have sensors: drivers those on I2C and 1-Wire, kernel those that Linux knows already, simulated those
// that need no hardware.
package sensors
