package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"sighub/internal/plain"
)

// What the process exits with.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// streams are what a command reads and writes.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// note tells the user something that is no error.
func (s *streams) note(format string, args ...any) {
	_, _ = fmt.Fprintf(s.err, "sighub: "+format+"\n", args...) // there is nowhere left to complain to
}

type commands struct {
	Run      runCommand      `cmd:"" help:"Be the hub: serve clients and serial ports."`
	Listen   listenCommand   `cmd:"" help:"Print events as they happen."`
	Send     sendCommand     `cmd:"" help:"Send events to the hub."`
	Request  requestCommand  `cmd:"" help:"Ask a sender something and print its answer."`
	Senders  sendersCommand  `cmd:"" help:"List who sends what."`
	Ports    portsCommand    `cmd:"" help:"List the serial ports, and the devices on them."`
	Sensors  sensorsCommand  `cmd:"" help:"List the drivers for sensors on the gateway itself, or look for sensors."`
	Simulate simulateCommand `cmd:"" help:"Be a device on a serial line."`
	Demo     demoCommand     `cmd:"" help:"Show a hub, a device and a listener at work, without any hardware."`
	Check    checkCommand    `cmd:"" help:"Check a configuration file."`
	Version  versionCommand  `cmd:"" help:"Print the version."`
}

// A usageError is a command line, or a configuration, that cannot be carried out.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// exitRequest is how kong, which has printed a help text and wants to exit, is brought to return.
type exitRequest int

// execute carries out one command line and returns what the process exits with.
func execute(ctx context.Context, args []string, s *streams) (code int) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case exitRequest:
			code = int(p)
		default:
			panic(p)
		}
	}()
	parser, err := kong.New(new(commands),
		kong.Name("sighub"),
		kong.Description("A sensor and IoT edge hub: sensors on serial lines, listeners over TCP and Unix sockets. "+
			"`sighub demo` shows it at work."),
		kong.Writers(s.out, s.err),
		kong.Exit(func(code int) { panic(exitRequest(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(s),
	)
	if err != nil {
		panic(err) // the commands above do not fit together
	}
	command, err := parser.Parse(markNegatives(args))
	if err != nil {
		return s.report(usageError{wrongUsage(args, err)})
	}
	return s.report(command.Run())
}

// wrongUsage says where to read on about a command line that was not understood.
func wrongUsage(args []string, err error) error {
	help := "sighub --help"
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil && parse.Context.Selected() != nil {
		help = "sighub " + parse.Context.Selected().Name + " --help"
	}
	if len(args) == 0 {
		return fmt.Errorf("a command is missing: try `sighub demo`, or see `%s`", help)
	}
	return fmt.Errorf("%w: see `%s`", err, help)
}

// report tells the user of an error, on one line for each that it joins, and returns the exit code.
func (s *streams) report(err error) int {
	var usage usageError
	switch {
	case err == nil, errors.Is(err, syscall.EPIPE): // who reads our output has seen enough
		return exitDone
	case errors.As(err, &usage):
		s.complain(err)
		return exitUsage
	default:
		s.complain(err)
		return exitFailed
	}
}

func (s *streams) complain(err error) {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		s.note("%s", plain.Text(line))
	}
}
