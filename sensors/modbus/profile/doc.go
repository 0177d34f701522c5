// Package profile has register maps of Modbus devices: what a register means, which requests read them all, and what the numbers in an
// answer are. Some maps of common devices come with it; others are files of the same form.
package profile
