package main

import (
	"context"
	"errors"

	"sighub/internal/config"
)

type checkCommand struct {
	File   string `arg:"" optional:"" help:"The configuration file to check; - is standard input."`
	Config string `short:"c" placeholder:"FILE" help:"The same, as run has it."`
}

// Help implements kong.HelpProvider.
func (*checkCommand) Help() string {
	return `It prints every mistake with its line, and exits with 2 if there are any. It warns of what run would not find on this machine now:
a bus, a sensor of the kernel, a folder, an address.

Examples:

    sighub check /etc/sighub/sighub.yaml
    sed s/3000/3001/ sighub.yaml | sighub check -`
}

// Run checks the file.
func (c *checkCommand) Run(ctx context.Context, s *streams) error {
	file := c.File
	switch {
	case file == "" && c.Config == "":
		return usageError{errors.New("the file is missing: write sighub check FILE, or - for standard input")}
	case file != "" && c.Config != "":
		return usageError{errors.New("two files are given: check one after the other")}
	case file == "":
		file = c.Config
	}
	cfg, err := config.Load(ctx, file, s.in)
	switch {
	case err != nil && ctx.Err() != nil:
		return errInterrupted
	case err != nil:
		return usageError{err}
	}
	if file == config.Stdin {
		file = "standard input"
	}
	return printLine(s.out, "%s: ok: %s", file, cfg.Summary())
}
