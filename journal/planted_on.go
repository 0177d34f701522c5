//go:build plantedfaults

package journal

import "os"

// planted returns the faults that the environment names, for a laboratory that must find them. No hub that anybody uses is built with
// this file.
func planted() (f faults) {
	switch name := os.Getenv("SIGHUB_PLANTED_FAULT"); name {
	case "":
	case "no-sync": // acknowledge before it is on disk
		f.noSync = true
	case "no-folder-sync":
		f.noFolderSync = true
	case "no-segment-number":
		f.noNumber = true
	case "cursor-first": // a cursor before its data
		f.cursorFirst = true
	default:
		panic("SIGHUB_PLANTED_FAULT: there is no fault " + name)
	}
	return f
}
