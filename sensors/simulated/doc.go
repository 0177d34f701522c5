// Package simulated has sensors without hardware. [Drift] reports light, temperature, humidity and pressure that change as over
// a day. [Counter] reports 0, 1, 2, …, which shows every lost or doubled reading. [Bus] is an I2C bus with chips that measure
// a Drift, to try drivers without hardware.
package simulated
