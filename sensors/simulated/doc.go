// Package simulated has sensors without hardware: [Drift] reports light, temperature, humidity and pressure that change
// as over a day, [Counter] reports 0, 1, 2, … so that anyone can check that nothing is lost or doubled, and [Bus] is an I2C
// bus with chips that measure a Drift, for drivers that are to be tried without one.
package simulated
