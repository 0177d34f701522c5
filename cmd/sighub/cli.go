package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kong"

	"sighub/internal/arguments"
	"sighub/internal/plain"
	"sighub/internal/terminal"
)

// streams are what a command reads and writes.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// note prints a message that is not a result on standard error.
func (s *streams) note(format string, args ...any) {
	_ = terminal.Line(s.err, "sighub: "+format, args...) // there is nowhere left to complain to
}

type commands struct {
	Run      runCommand      `cmd:"" help:"Be the hub: serve clients and serial ports."`
	Listen   listenCommand   `cmd:"" help:"Print events as they happen."`
	Send     sendCommand     `cmd:"" help:"Send events to the hub."`
	Request  requestCommand  `cmd:"" help:"Send a request to a sender and print its answer."`
	History  historyCommand  `cmd:"" help:"Print what the hub has on record of a sender."`
	Senders  sendersCommand  `cmd:"" help:"List the senders, their events and their requests."`
	Clients  clientsCommand  `cmd:"" help:"List the clients, and what the hub refused of them."`
	Cert     certCommand     `cmd:"" help:"Print the hub's certificate for TLS, and the pin of its key."`
	Cursors  cursorsCommand  `cmd:"" help:"List how far listeners have come, or forget it."`
	Journal  journalCommand  `cmd:"" help:"What the hub keeps on disk: what is there, whether it is sound, all of it."`
	Ports    portsCommand    `cmd:"" help:"List the hub's serial ports and the devices on them."`
	Try      tryCommand      `cmd:"" help:"Show what a format makes of what a device prints on a serial port."`
	Sensors  sensorsCommand  `cmd:"" help:"List the drivers for sensors of the gateway itself, or look for such sensors."`
	Simulate simulateCommand `cmd:"" help:"Be a simulated device on a serial line."`
	Demo     demoCommand     `cmd:"" help:"Show a hub, a device and a listener at work, without hardware."`
	Check    checkCommand    `cmd:"" help:"Check a configuration file."`
	Version  versionCommand  `cmd:"" help:"Print the version."`

	ShowVersion kong.VersionFlag `name:"version" help:"Print the version."`
}

// exitRequest is what a call of kong's to exit panics with, so that execute returns instead.
type exitRequest int

// execute runs one command line and returns the exit code of the process.
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
			"`sighub demo` shows it at work.\n\n"+strings.ReplaceAll(exitCodes, "\n", " ")),
		kong.Vars{"version": versionText()},
		kong.Writers(s.out, s.err),
		kong.Exit(func(code int) { panic(exitRequest(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(s),
	)
	if err != nil {
		panic(err) // the struct tags above are wrong
	}
	command, err := parser.Parse(arguments.MarkNegatives(args))
	if err != nil {
		return s.report(usageError{wrongUsage(args, err)})
	}
	return s.report(command.Run())
}

// wrongUsage adds where to read on to an error in the command line.
func wrongUsage(args []string, err error) error {
	help := "sighub --help"
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil && parse.Context.Selected() != nil {
		help = parse.Context.Selected().FullPath() + " --help"
	}
	if len(args) == 0 {
		return fmt.Errorf("a command is missing: try `sighub demo`, or see `%s`", help)
	}
	return fmt.Errorf("%w: see `%s`", err, help)
}

// report prints an error, a joined one on several lines, and returns the exit code.
func (s *streams) report(err error) int {
	code := exitCode(err)
	if code != exitDone {
		s.complain(err)
	}
	return code
}

func (s *streams) complain(err error) {
	for _, err := range parts(err) {
		s.note("%s", plain.Text(err.Error()))
	}
}

// parts takes apart an error that joins others, each of which gets a line of its own. A line break anywhere else may come from a
// stranger.
func parts(err error) (list []error) {
	if usage, ok := err.(usageError); ok { //nolint:errorlint // one that is wrapped has words around it
		return parts(usage.error)
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	if text := errors.Join(joined.Unwrap()...); text == nil || text.Error() != err.Error() {
		return []error{err} // fmt.Errorf with several %w
	}
	for _, err := range joined.Unwrap() {
		list = append(list, parts(err)...)
	}
	return list
}

type versionCommand struct{}

// Run prints the version, the version of Go, and the platform.
func (versionCommand) Run(s *streams) error {
	return terminal.Line(s.out, "%s", versionText())
}

func versionText() string {
	return fmt.Sprintf("sighub %s, %s, %s/%s", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// version returns the module's version, else the revision it was built from, else "devel".
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	revision, modified := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = "+changes"
		}
	}
	if revision == "" {
		return "devel"
	}
	return "devel-" + revision + modified
}
