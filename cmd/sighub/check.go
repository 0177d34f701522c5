package main

import (
	"context"

	"sighub/internal/config"
)

type checkCommand struct {
	Config string `required:"" short:"c" placeholder:"FILE" help:"The configuration file to check."`
}

// Help implements kong.HelpProvider.
func (*checkCommand) Help() string {
	return `It prints every error with its line. It exits with 2 if there are any.

Example:

    sighub check --config /etc/sighub/sighub.yaml`
}

// Run checks the file.
func (c *checkCommand) Run(ctx context.Context, s *streams) error {
	cfg, err := config.Load(ctx, c.Config, s.in)
	if err != nil {
		return usageError{err}
	}
	return printLine(s.out, "%s: ok: %s", c.Config, cfg.Summary())
}
