// Package drivers has sensors on I2C and 1-Wire.
//
// [Catalogue] lists them. A driver is given a bus, which stays its owner's, and leaves it as it is: sensors that share a
// bus are to be read one after another, which a sensors.Poller does.
//
// Three things hold for all of them. A sensor is set up anew after any error, because a device that did not answer may
// have lost its power, and many then measure nothing, or something else, without a sign of it. What a device can prove
// to be damaged, or to be another device, is an error and never a value. And no reading allocates memory, or holds the
// bus longer than a conversion takes: devices that can measure by themselves are left to it, and asked for their latest
// value.
//
// That is why the devices are driven from their data sheets here, over the buses of periph.io, and not by the drivers
// that periph.io has for most of them: those sleep without a way to be woken, allocate with every reading, and some take
// an unanswered call for an answer. The tests hold both against each other where they should agree.
package drivers
