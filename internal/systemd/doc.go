// Package systemd tells systemd how the process is doing that it has started: sd_notify(3) describes the words, and
// sd_watchdog_enabled(3) what systemd wants to hear.
//
// It works without a library of systemd's, and on a machine without systemd it does nothing.
package systemd
