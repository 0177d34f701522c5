//go:build !linux

package tcp

import (
	"net"
	"time"
)

// unacknowledged is not known here: the pause between two writes must do.
func unacknowledged(net.Conn) int { return 0 }

// peerUser is not known here: all users count as one.
func peerUser(net.Conn) string { return "" }

func setUserTimeout(net.Conn, time.Duration) {}

func tryWriter(net.Conn) func([]byte) (int, error) { return nil }
