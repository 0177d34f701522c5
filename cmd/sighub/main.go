// Command sighub is a sensor and IoT edge hub: sensors on serial lines, listeners over TCP and Unix sockets.
//
//	sighub demo                              see it work, without hardware
//	sighub run --serial /dev/ttyUSB0         be the hub
//	sighub listen                            print what the sensors report
//
// See sighub --help for the other commands, and sighub COMMAND --help for each. It exits with 0 on success, with 2 when the
// command line or the configuration is wrong, and with other codes for other failures: see codes.go.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// oneSignal is how long further signals count as the first one.
const oneSignal = time.Second

func main() { os.Exit(mainCode()) }

func mainCode() int {
	// Without this, a reader of our output that goes away, such as head, would kill the process instead of causing an error.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once. It does not count if it follows the first one closely: timeout(1) and others
	// send two.
	context.AfterFunc(ctx, func() { time.AfterFunc(oneSignal, stop) })
	return execute(ctx, os.Args[1:], &streams{in: os.Stdin, out: os.Stdout, err: os.Stderr})
}
