//go:build !linux

package tcp

import "sighub/listen"

// A rawReader is not available.
type rawReader struct{}

func newRawReader(listen.Conn) *rawReader { return nil }

func (*rawReader) read(*reader) (int, error) { return 0, nil }
