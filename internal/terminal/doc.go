// Package terminal prints what commands have to say: lines, tables, JSON, events and charts.
//
// Any text in these may be a stranger's: the name of a sender, the data of an event, an exception. So everything passes one of the
// functions of output.go, which make it harmless.
package terminal
