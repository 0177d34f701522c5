//go:build !linux

package systemd

// Began returns the line that must follow [Reloading]. There is no systemd here.
func Began() string { return "MONOTONIC_USEC=0" }
