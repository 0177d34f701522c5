// Command mochi is the mochi-mqtt server with the best settings for the benchmark: no access control, no log, and the largest limits for
// messages in flight and waiting.
package main

import (
	"fmt"
	"log/slog"
	"math"
	"os"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: mochi ADDRESS")
		os.Exit(2)
	}
	if err := start(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "mochi:", err)
		os.Exit(1)
	}
	select {} // it ends with the process
}

func start(addr string) error {
	capabilities := mqtt.NewDefaultServerCapabilities()
	capabilities.MaximumInflight = math.MaxUint16
	capabilities.ReceiveMaximum = math.MaxUint16
	s := mqtt.New(&mqtt.Options{
		Capabilities:             capabilities,
		Logger:                   slog.New(slog.DiscardHandler),
		ClientNetWriteBufferSize: 64 << 10,
		ClientNetReadBufferSize:  64 << 10,
	})
	if err := s.AddHook(new(auth.AllowHook), nil); err != nil {
		return err
	}
	if err := s.AddListener(listeners.NewTCP(listeners.Config{ID: "tcp", Address: addr})); err != nil {
		return err
	}
	return s.Serve() // which goes on in the background
}
