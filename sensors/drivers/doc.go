// Package drivers has sensors on I2C and 1-Wire.
//
// [Catalogue] lists them. A driver uses a bus but does not own it. Sensors that share a bus must be read one after another, as a
// sensors.Poller does.
//
// Three rules hold for all drivers:
//   - After any error a sensor is set up again. A device that did not answer may have lost its power, and many devices then
//     measure nothing, or something else, without saying so.
//   - If a checksum or a status shows that a value is damaged, or that this is another device, Read returns an error, never a
//     value.
//   - A reading allocates no memory and does not hold the bus longer than one conversion. Devices that can measure continuously
//     do so, and Read fetches the latest value.
//
// The drivers follow the data sheets and use the buses of periph.io, but not its drivers: those cannot be interrupted while they
// sleep, allocate with every reading, and some treat a missing answer as an answer. The tests compare both where they should
// agree.
package drivers
