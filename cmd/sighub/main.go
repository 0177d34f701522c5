package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// oneSignal is how long further signals are taken for the first one.
const oneSignal = time.Second

func main() { os.Exit(mainCode()) }

func mainCode() int {
	// Without this, a reader of our output that goes away (head) would end us by a signal instead of an error.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once; but timeout(1) and others send the first one twice.
	context.AfterFunc(ctx, func() { time.AfterFunc(oneSignal, stop) })
	return execute(ctx, os.Args[1:], &streams{in: os.Stdin, out: os.Stdout, err: os.Stderr})
}
