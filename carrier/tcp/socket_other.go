//go:build !linux

package tcp

import (
	"net"
	"time"
)

// unacknowledged is not known here: the pause between two writes must do.
func unacknowledged(net.Conn) int { return 0 }

func setUserTimeout(net.Conn, time.Duration) {}

func tryWriter(net.Conn) func([]byte) (int, error) { return nil }
