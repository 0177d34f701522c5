// Command hub is `sighub run` without serial lines, and with net/http/pprof on a Unix socket: for profiles only, not
// for figures.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	_ "net/http/pprof" //nolint:gosec // on a socket of the user's own
	"os"
	"os/signal"
	"syscall"

	"sighub/carrier"
	"sighub/carrier/tcp"
	"sighub/hub"
	"sighub/internal/config"
	"sighub/journal"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: hub CONFIG SOCKET")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := serve(ctx, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "hub:", err)
		os.Exit(1) //nolint:gocritic // there is nothing left to stop
	}
}

func serve(ctx context.Context, file, socket string) error {
	cfg, err := config.Load(ctx, file, nil)
	if err != nil {
		return err
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	profiler := &http.Server{Handler: http.DefaultServeMux} //nolint:gosec // on a socket of the user's own
	served := make(chan error, 1)
	go func() { served <- profiler.Serve(l) }()

	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	var carriers []carrier.Carrier
	for _, addr := range cfg.Listen {
		s, err := tcp.Listen(addr.String(), tcp.Options{
			MaxClients: cfg.Limits.Clients,
			Limits:     tcp.Limits{Window: cfg.Limits.Outstanding, MaxMessage: cfg.Limits.MessageSize},
			Logger:     log,
		})
		if err != nil {
			return err
		}
		carriers = append(carriers, s)
	}
	var kept *journal.Journal
	if !cfg.Journal.Off {
		kept, err = journal.Open(cfg.Journal.Folder, journal.Options{Size: cfg.Journal.Size, Logger: log})
		if err != nil {
			return err
		}
	}
	err = hub.NewServerRouter(hub.ServerOptions{
		Journal: kept,
		Options: hub.Options{Logger: log},
		Outbox: hub.OutboxOptions{
			Limit:    cfg.Limits.Outbox,
			Policy:   cfg.Limits.SlowListener,
			Deadline: cfg.Limits.BlockDeadline,
		},
		MaxSenders:     cfg.Limits.Senders,
		MaxListeners:   cfg.Limits.Listeners,
		RequestTimeout: cfg.Limits.RequestTimeout,
	}).Serve(ctx, carriers...)
	err = errors.Join(err, profiler.Close())
	if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}
