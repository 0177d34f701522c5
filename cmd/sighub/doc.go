// Command sighub is a sensor and IoT edge hub: sensors on serial lines, listeners over TCP and Unix sockets.
//
//	sighub demo                              see it work, without hardware
//	sighub run --serial /dev/ttyUSB0         be the hub
//	sighub listen                            print what the sensors report
//
// See sighub --help for the other commands, and sighub COMMAND --help for each. It exits with 0 on success, with 2 when the
// command line or the configuration is wrong, and with other codes for other failures: see codes.go.
package main
