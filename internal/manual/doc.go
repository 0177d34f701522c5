// Package manual makes man pages, and what shells need to complete commands, of the command line itself: so what they say is what the
// program does.
package manual
