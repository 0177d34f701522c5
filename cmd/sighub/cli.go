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

	"sighub/internal/commandline"
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

// A runner is a command with its flags and arguments.
type runner interface {
	Run(ctx context.Context, s *streams) error
}

func newCommand(name, help string, of runner) *commandline.Command {
	return &commandline.Command{Name: name, Help: help, Of: of}
}

// newProgram returns the command line of sighub.
func newProgram() *commandline.Command {
	var program *commandline.Command
	manual := newCommand("manual", "Write the man pages into a folder.", &manualCommand{program: func() *commandline.Command { return program }})
	manual.Hidden = true
	program = commandline.Prepare(&commandline.Command{
		Name: "sighub",
		Help: "A sensor and IoT edge hub: sensors on serial lines, listeners over TCP and Unix sockets. " +
			"`sighub demo` shows it at work.\n\n" + strings.ReplaceAll(exitCodes, "\n", " "),
		Commands: []*commandline.Command{
			newCommand("run", "Be the hub: serve clients and serial ports.", new(runCommand)),
			newCommand("listen", "Print events as they happen.", new(listenCommand)),
			newCommand("send", "Send events to the hub.", new(sendCommand)),
			newCommand("request", "Send a request to a sender and print its answer.", new(requestCommand)),
			newCommand("history", "Print what the hub has on record of a sender.", new(historyCommand)),
			newCommand("senders", "List the senders, their events and their requests.", new(sendersCommand)),
			newCommand("clients", "List the clients, and what the hub refused of them.", new(clientsCommand)),
			newCommand("identities", "List whom the hub knows by a key, a token, a password or a device, and who is invited.", new(identitiesCommand)),
			newCommand("can", "Say whether somebody may do something, and why; or who you are.", new(canCommand)),
			newCommand("pair", "Invite another machine or somebody, or make a token.", new(pairCommand)),
			newCommand("join", "Accept an invitation: from then on, the commands of this user ask that hub.", new(joinCommand)),
			newCommand("leave", "Forget the hub that was joined.", new(leaveCommand)),
			newCommand("password", "Give somebody a password, such as for the page.", new(passwordCommand)),
			newCommand("revoke", "Take back what sighub pair has given.", new(revokeCommand)),
			newCommand("reload", "Put the rules of the file into force that says who may do what.", new(reloadCommand)),
			newCommand("setup", "Set up a hub on this machine: its key, who may do what, where it listens.", new(setupCommand)),
			newCommand("cert", "Print the hub's certificate for TLS, and the pin of its key.", new(certCommand)),
			newCommand("cursors", "List how far listeners have come, or forget it.", new(cursorsCommand)),
			{Name: "journal", Help: "What the hub keeps on disk: what is there, whether it is sound, all of it.", Commands: []*commandline.Command{
				newCommand("info", "Say what the hub keeps, and whether it can.", new(journalInfoCommand)),
				newCommand("verify", "Read everything in a journal, and say what cannot be read.", new(journalVerifyCommand)),
				newCommand("export", "Print the events of a journal, oldest first.", new(journalExportCommand)),
			}},
			newCommand("ports", "List the hub's serial ports and the devices on them.", new(portsCommand)),
			newCommand("bridges", "List where events go beside the hub's clients, and how far they have come.", new(bridgesCommand)),
			newCommand("try", "Show what a format makes of what a device prints on a serial port.", new(tryCommand)),
			newCommand("sensors", "List the drivers for sensors of the gateway itself, or look for such sensors.", new(sensorsCommand)),
			newCommand("simulate", "Be a simulated device on a serial line.", new(simulateCommand)),
			newCommand("demo", "Show a hub, a device and a listener at work, without hardware.", new(demoCommand)),
			newCommand("check", "Check a configuration file.", new(checkCommand)),
			newCommand("config", "Explain the configuration, or print an example of it.", new(configCommand)),
			newCommand("version", "Print the version.", new(versionCommand)),
			newCommand("completion", "Print what a shell needs to complete commands.", &completionCommand{program: func() *commandline.Command { return program }}),
			manual,
		},
	})
	return program
}

// execute runs one command line and returns the exit code of the process.
func execute(ctx context.Context, args []string, s *streams) int {
	command, err := newProgram().Parse(args)
	switch {
	case errors.Is(err, commandline.ErrHelp):
		return s.report(terminal.Own(s.out, command.Usage(terminal.Width(s.out))))
	case errors.Is(err, commandline.ErrVersion):
		return s.report(terminal.Line(s.out, "%s", versionText()))
	case err != nil && len(args) == 0:
		return s.report(usageError{errors.New("a command is missing: try `sighub demo`, or see `sighub --help`")})
	case err != nil:
		return s.report(usageError{fmt.Errorf("%w: see `%s --help`", err, command.Path())})
	}
	return s.report(command.Of.(runner).Run(ctx, s)) //nolint:forcetypeassert // all are made by newCommand
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
	program func() *commandline.Command

	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help is what --help says in full.
func (*completionCommand) Help() string {
	return `The package for Debian installs all of them. Without it:

    source <(sighub completion bash)
    source <(sighub completion zsh)
    sighub completion fish | source`
}

// Run prints the completion.
func (c *completionCommand) Run(_ context.Context, s *streams) error {
	text, err := manual.Completion(c.program(), c.Shell)
	if err != nil {
		return usageError{err}
	}
	return terminal.Own(s.out, text)
}

type manualCommand struct {
	program func() *commandline.Command

	Folder string `arg:"" help:"It must be there."`
	Date   string `help:"Of the pages."`
}

// Run writes the pages.
func (c *manualCommand) Run(context.Context, *streams) (err error) {
	for _, page := range manual.Pages(c.program(), version(), c.Date) {
		err = errors.Join(err, os.WriteFile(filepath.Join(c.Folder, page.Name), []byte(page.Text), 0o644))
	}
	return err
}

type versionCommand struct{}

// Run prints the version, the version of Go, and the platform.
func (versionCommand) Run(_ context.Context, s *streams) error {
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
