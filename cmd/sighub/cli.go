package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kong"

	"sighub/internal/arguments"
	"sighub/internal/manual"
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
	Run        runCommand        `cmd:"" help:"Be the hub: serve clients and serial ports."`
	Listen     listenCommand     `cmd:"" help:"Print events as they happen."`
	Send       sendCommand       `cmd:"" help:"Send events to the hub."`
	Request    requestCommand    `cmd:"" help:"Send a request to a sender and print its answer."`
	History    historyCommand    `cmd:"" help:"Print what the hub has on record of a sender."`
	Senders    sendersCommand    `cmd:"" help:"List the senders, their events and their requests."`
	Clients    clientsCommand    `cmd:"" help:"List the clients, and what the hub refused of them."`
	Identities identitiesCommand `cmd:"" help:"List whom the hub knows by a key, a token, a password or a device, and who is invited."`
	Can        canCommand        `cmd:"" help:"Say whether somebody may do something, and why; or who you are."`
	Pair       pairCommand       `cmd:"" help:"Invite another machine or somebody, or make a token."`
	Join       joinCommand       `cmd:"" help:"Accept an invitation: from then on, the commands of this user ask that hub."`
	Leave      leaveCommand      `cmd:"" help:"Forget the hub that was joined."`
	Password   passwordCommand   `cmd:"" help:"Give somebody a password, such as for the page."`
	Revoke     revokeCommand     `cmd:"" help:"Take back what sighub pair has given."`
	Reload     reloadCommand     `cmd:"" help:"Put the rules of the file into force that says who may do what."`
	Setup      setupCommand      `cmd:"" help:"Set up a hub on this machine: its key, who may do what, where it listens."`
	Cert       certCommand       `cmd:"" help:"Print the hub's certificate for TLS, and the pin of its key."`
	Cursors    cursorsCommand    `cmd:"" help:"List how far listeners have come, or forget it."`
	Journal    journalCommand    `cmd:"" help:"What the hub keeps on disk: what is there, whether it is sound, all of it."`
	Ports      portsCommand      `cmd:"" help:"List the hub's serial ports and the devices on them."`
	Try        tryCommand        `cmd:"" help:"Show what a format makes of what a device prints on a serial port."`
	Sensors    sensorsCommand    `cmd:"" help:"List the drivers for sensors of the gateway itself, or look for such sensors."`
	Simulate   simulateCommand   `cmd:"" help:"Be a simulated device on a serial line."`
	Demo       demoCommand       `cmd:"" help:"Show a hub, a device and a listener at work, without hardware."`
	Check      checkCommand      `cmd:"" help:"Check a configuration file."`
	Config     configCommand     `cmd:"" help:"Explain the configuration, or print an example of it."`
	Version    versionCommand    `cmd:"" help:"Print the version."`

	Completion completionCommand `cmd:"" help:"Print what a shell needs to complete commands."`
	Manual     manualCommand     `cmd:"" hidden:"" help:"Write the man pages into a folder."`

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
	if code != exitDone && !errors.Is(err, errNo) {
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

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help implements kong.HelpProvider.
func (*completionCommand) Help() string {
	return `The package for Debian installs all of them. Without it:

    source <(sighub completion bash)
    source <(sighub completion zsh)
    sighub completion fish | source`
}

// Run prints the completion.
func (c *completionCommand) Run(k *kong.Context, s *streams) error {
	text, err := manual.Completion(k.Model, c.Shell)
	if err != nil {
		return usageError{err}
	}
	return terminal.Own(s.out, text)
}

type manualCommand struct {
	Folder string `arg:"" help:"It must be there."`
	Date   string `help:"Of the pages."`
}

// Run writes the pages.
func (c *manualCommand) Run(k *kong.Context) (err error) {
	for _, page := range manual.Pages(k.Model, version(), c.Date) {
		err = errors.Join(err, os.WriteFile(filepath.Join(c.Folder, page.Name), []byte(page.Text), 0o644))
	}
	return err
}

type versionCommand struct{}

// Run prints the version, the version of Go, and the platform.
func (versionCommand) Run(s *streams) error {
	return terminal.Line(s.out, "%s", versionText())
}

func versionText() string {
	return fmt.Sprintf("sighub %s, %s, %s/%s", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// release is the version of a package: the linker sets it.
var release string

// version returns the version of the package or of the module, else the revision it was built from, else "devel".
func version() string {
	info, ok := debug.ReadBuildInfo()
	switch {
	case release != "":
		return release
	case !ok:
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
