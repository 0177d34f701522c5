// Package sensors says what a sensor reports: a [Reading], a value with its unit and time.
//
// Its subpackages are sensors. Package simulated has some that need no hardware.
package sensors
