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

// A rawReader is not available.
type rawReader struct{}

func newRawReader(net.Conn) *rawReader { return nil }

func (*rawReader) read(*reader) (int, error) { return 0, nil }
