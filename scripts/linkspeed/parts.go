package main

import (
	"io"
	"sync/atomic"

	"sighub/carrier"
)

// counted counts what is read.
type counted struct {
	io.ReadWriteCloser
	bytes *atomic.Int64
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.ReadWriteCloser.Read(b)
	c.bytes.Add(int64(n))
	return n, err
}

// ignore is the handler of a device that only reports.
type ignore struct{}

func (ignore) ClientConnected(carrier.Client) {}
func (ignore) HandleMessage(_ carrier.ClientID, _ *carrier.Message, respond func(carrier.Reply)) {
	respond(carrier.Reply{Status: carrier.StatusNoSuchMethod})
}
func (ignore) ClientDisconnected(carrier.ClientID, error) {}
func (ignore) AllClientsDisconnected(error)               {}
