package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"sync"
	"time"

	"sighub/access"
	"sighub/carrier"
	"sighub/carrier/mqtt"
	"sighub/carrier/serial"
	"sighub/cmd/sighub/internal/desk"
	"sighub/cmd/sighub/internal/lean"
	"sighub/cmd/sighub/internal/linepast"
	"sighub/cmd/sighub/internal/logbook"
	"sighub/cmd/sighub/internal/onward"
	"sighub/cmd/sighub/internal/site"
	"sighub/hub"
	"sighub/hub/verb"
	"sighub/internal/address"
	"sighub/internal/config"
	"sighub/internal/gateway"
	"sighub/internal/guard"
	"sighub/internal/loglimit"
	"sighub/internal/service"
	"sighub/internal/systemd"
	"sighub/listen/keys"
)

type runCommand struct {
	Config  string   `short:"c" placeholder:"FILE" help:"The configuration file, in YAML."`
	Listen  []string `placeholder:"ADDR" help:"An address where clients connect: tcp://host:port or unix:///path, to which ?mode=0660&group=NAME may be added. Without --access, one that other machines reach needs ?insecure=true. May be repeated. Replaces the addresses of the file. Default: tcp://127.0.0.1:3000."`
	Serial  []string `placeholder:"PORT" help:"A serial port, or several: a path, a pattern such as '/dev/ttyUSB*', a USB adapter as vendor:product[:serial], auto or none. May be repeated. Adds to the ports of the file. Default: auto."`
	Sensors []string `placeholder:"WHICH" help:"Sensors of the gateway itself: auto (all that the kernel knows), none, or a file with sensors, pins and thresholds in the form of the configuration. May be repeated. Adds to the sensors of the file. Default: none."`
	Access  string   `placeholder:"FILE" help:"The file that says who may do what. Replaces the one of the configuration. Default: everybody may do everything who reaches the hub, so it listens on this machine only."`
	State   string   `placeholder:"DIR" help:"The folder for what the hub remembers between runs. Replaces the one of the file. Default: the one that systemd gives, else the user's cache."`
	Join    string   `placeholder:"ADDR" help:"A NATS server with JetStream, as nats://host:4222, where the hub takes part in a stream of many hubs: see docs/many-hubs.md. It may be followed by ? and keys of the configuration file, joined by &: hub, hear, send, may, stream, creds, nkey, token, ca, from. Replaces bridges.nats of the file."`
	Journal string   `placeholder:"DIR|off" help:"The folder where the hub keeps what it acknowledges, so that it survives a loss of power and can be heard again; off: keep nothing. Replaces the one of the file. Default: journal in the folder of --state."`
}

// Help is what --help says in full.
func (*runCommand) Help() string {
	return `The hub runs until SIGINT or SIGTERM. Then it tells its clients, and exits with 0. It logs to standard error.
On SIGHUP it reads the configuration and the rules of --access again, and applies the rules and the level of the log; the log says what
else has changed, and needs a new start.

With --serial auto it serves every USB serial adapter as soon as it is plugged in. ` + "`sighub ports`" + ` shows them. A device is
known by its uid, wherever it is plugged in.

With --sensors auto it reports what the kernel measures when the hub starts, such as the processor temperature of a Raspberry
Pi. ` + "`sighub sensors --scan`" + ` shows these sensors and others, and what to write into a file for each.

It keeps what it acknowledges in a journal: docs/journal.md says what that promises. ` + "`sighub history` and `sighub listen --from`" + `
tell what was before.

A port may be followed by ? and keys of the configuration file, joined by &: baud, opener (native, bugst or tarm), name,
naming, dtr and rts (on or off), and may (listen, request, list or all, joined by commas: what the devices there may do beside
reporting and answering requests). A port whose device prints text has speaks=lines, format, sender, and what else
docs/configuration.md lists; ` + "`sighub try PORT`" + ` says what to write.

Examples:

    sighub run
    sighub run --serial '/dev/ttyACM*' --serial 0403:6001
    sighub run --serial '/dev/ttyUSB0?baud=250000&naming={device}.{sender}' --sensors auto
    sighub run --serial '/dev/ttyUSB0?speaks=lines&format=pairs&sender=kitchen'
    sighub run --access /etc/sighub/access.yaml --listen tls://0.0.0.0:3000 --listen 'unix:///run/sighub/hub.sock?mode=0666'
    sighub run --config /etc/sighub/sighub.yaml`
}

// Run serves until ctx is done.
func (c *runCommand) Run(ctx context.Context, s *streams) error {
	hangups, stop := catchHangups()
	defer stop()
	cfg, err := c.config(ctx, s.in)
	switch {
	case err != nil && ctx.Err() != nil:
		return errInterrupted
	case err != nil:
		return usageError{err}
	}
	all := loglimit.Open(s.err, cfg.Log.Level, cfg.Log.Format)
	defer all.Close()
	log := all.Logger
	for _, w := range cfg.Warnings() {
		log.Warn("the configuration is doubtful", "place", w.Place(), "why", w.Message)
	}
	doors, err := openGuard(cfg, log)
	if err != nil {
		return err
	}
	defer closeGuard(doors, log)
	var router *hub.ServerRouter
	ports, err := serialPorts(cfg, stateFolder(cfg.State, "dictionaries", log), func() *hub.Router { return router.Router }, doors, log)
	if err != nil {
		return err
	}
	budget := carrier.NewBudget(int64(cfg.Limits.Memory))
	var opened closers // until they are served
	certificate, err := openCertificate(cfg, log)
	if err != nil {
		return err
	}
	pages := site.New(site.Options{Version: version(), Budget: budget, MaxMessage: cfg.Limits.MessageSize, Logger: log, Guard: doors})
	place := onward.Place{Version: version(), Folder: func(name string) string { return stateFolder(cfg.State, name, log) }}
	announced := onward.OpenBoard(cfg, place, budget, log)
	changed := make(chan struct{}, 1) // how many connections there are
	carriers, err := listen(cfg, budget, certificate, doors, pages, announced.Shelf(), changed, log, &opened)
	if err != nil {
		return errors.Join(err, opened.Close())
	}
	kept, err := openJournal(cfg, log)
	if err != nil {
		return errors.Join(err, opened.Close())
	}
	opened = append(opened, kept)
	bridges, err := onward.Open(cfg, kept.Journal, place, log)
	if err != nil {
		return errors.Join(err, opened.Close())
	}
	past := linepast.New(ports.Ports)
	owner := &desk.Desk{Guard: doors, Certificate: certificate, Carriers: carriers}
	asked := logbook.Method(all.Recent, certificateMethod(certificate, kept.methods(portMethods(ports, past, cfg.Sensing.Thresholds))))
	router = newRouter(cfg, budget, log, kept, doors, owner, bridges.Methods(asked))
	if err := bridges.Attach(router); err != nil {
		return errors.Join(err, opened.Close())
	}
	pages.Tell(site.Hub{Router: router, Carriers: carriers, Journal: kept.Journal, Ports: ports.Ports, Bridges: bridges.Statuses})
	carriers = append(append(append(carriers, pages), bridges.Carriers()...), announced.Carriers()...)
	doors.Enforce(func(p *access.Policy) {
		router.SetPolicy(p)
		announced.SetPolicy(p)
		ports.Review()
	})
	own, err := gateway.New(&cfg.Sensing, router.Router, "/sys", log)
	if err != nil {
		return errors.Join(err, opened.Close())
	}
	senders := append(own.Senders(), gateway.LineSenders(cfg)...)
	router.Reserve(senders...)
	bridges.Own(senders)
	announced.Ready(senders, kept.Journal != nil)
	if len(cfg.Serial) == 0 && cfg.Sensing.Empty() {
		log.Info("there is no serial port: add one with --serial /dev/ttyUSB0, or simulate one with `sighub simulate --pty`")
	}
	notifier, err := systemd.FromEnvironment(os.Getenv, os.Getpid())
	if err != nil {
		log.Warn("systemd is not told how the hub is", "error", err)
	}
	told := service.New(notifier, log)
	reload := &reloader{command: c, log: all, guard: doors, told: told, begun: cfg, level: cfg.Log.Level}
	opened = nil
	err = reload.during(ctx, hangups, func(ctx context.Context) error {
		var limiting sync.WaitGroup
		defer limiting.Wait()
		ctx, done := context.WithCancel(ctx)
		defer done()
		limiting.Go(func() {
			lean.Limit(ctx, budget.Size(), func() int { return site.Connections(carriers) }, changed)
		})
		limiting.Go(func() { spareProcessors(ctx) })
		limiting.Go(func() { past.Run(ctx) })
		return doors.During(ctx, func(ctx context.Context) error {
			return own.During(ctx, func(ctx context.Context) error {
				status := func() string { return status(carriers, ports) }
				return told.During(ctx, router.Router, status, func(ctx context.Context) error {
					return router.Serve(ctx, told.Carriers(append(carriers, ports)...)...)
				})
			})
		})
	})
	if err == nil {
		log.Info("shut down")
	}
	return err
}

// serialPorts returns the carrier for the serial ports of a configuration. It opens them when it is served. It remembers
// dictionaries in dir, if that is not empty. The router is that of the senders that print lines.
func serialPorts(cfg *config.Config, dir string, router func() *hub.Router, doors *guard.Guard, log *slog.Logger) (
	*serial.Server, error,
) {
	ports, err := gateway.Ports(cfg, router, log)
	if err != nil {
		return nil, err
	}
	return serial.Listen(serial.Options{
		Ports: ports, Dir: dir, MaxSenders: cfg.Limits.Senders, Recognize: gateway.Recognize, Login: doors.Device, Logger: log,
	})
}

// closers are what was opened and is closed together.
type closers []io.Closer

// Close closes everything, and forgets it.
func (c *closers) Close() (err error) {
	for _, o := range *c {
		err = errors.Join(err, o.Close())
	}
	*c = nil
	return err
}

func (c *runCommand) config(ctx context.Context, stdin io.Reader) (*config.Config, error) {
	cfg := config.Default()
	if c.Config != "" {
		var err error
		if cfg, err = config.Load(ctx, c.Config, stdin); err != nil {
			return nil, err
		}
	}
	if c.State != "" {
		cfg.State = c.State
	}
	if c.Access != "" {
		cfg.Access.Rules = c.Access
	}
	cfg.SetJournal(c.Journal)
	if err := errors.Join(cfg.Add(c.Listen, c.Serial), cfg.AddSensors(ctx, c.Sensors), cfg.Join(c.Join)); err != nil {
		return nil, err
	}
	return cfg, cfg.CheckExposed()
}

// openGuard returns who lets clients and devices in, by the rules of a configuration.
func openGuard(cfg *config.Config, log *slog.Logger) (*guard.Guard, error) {
	a := &cfg.Access
	if a.Rules == "" {
		return nil, nil //nolint:nilnil // without rules, everybody may come in
	}
	state, err := cfg.State, error(nil)
	if state == "" {
		state, err = usualState()
	}
	if err != nil {
		return nil, fmt.Errorf("the hub has no folder for those whom it knows: %w: choose one with --state", err)
	}
	return guard.Open(guard.Options{Rules: a.Rules, Folder: guard.Folder(state), Audit: a.Audit, Quiet: a.Quiet, Logger: log})
}

func closeGuard(g *guard.Guard, log *slog.Logger) {
	if err := g.Close(); err != nil {
		log.Error("whom the hub knows could not be written at the end", "error", err)
	}
}

// processors is how many goroutines run at a time while nothing is large: one for each core that the program may use.
var processors = runtime.GOMAXPROCS(0)

const (
	// spare is how many more run while there is much that is large: one that deals with it, and one of the garbage collector.
	spare = 2
	// lookAtTurns is how often turns are counted while some are taken, manyTurns how many of them are much, and manyLooks how long
	// that counts.
	lookAtTurns = 250 * time.Millisecond
	manyTurns   = 25
	manyLooks   = 40
)

// spareProcessors lets more goroutines run at a time than there are cores while clients send much that is large, until ctx is done.
// Then the system decides which of them go on. It lets one that has little to do go first, at once; the scheduler of Go lets each
// go on for 10 ms, and while it has enough to do, it looks for what has arrived no more often than that. While nothing is large,
// that would only cost time. The environment variable GOMAXPROCS takes precedence.
func spareProcessors(ctx context.Context) {
	if os.Getenv("GOMAXPROCS") != "" {
		return
	}
	defer runtime.GOMAXPROCS(processors)
	taken := make(chan struct{}, 1)
	carrier.WatchTurns(taken)
	defer carrier.WatchTurns(nil)
	for before, left := carrier.Turns(), 0; ; {
		if left == 0 { // else it has to be found that none are taken
			select {
			case <-ctx.Done():
				return
			case <-taken:
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookAtTurns):
		}
		now := carrier.Turns()
		switch many := now-before >= manyTurns; {
		case many && left == 0: // to set it stops everything for a moment
			runtime.GOMAXPROCS(processors + spare)
			left = manyLooks
		case many:
			left = manyLooks
		case left > 0:
			if left--; left == 0 {
				runtime.GOMAXPROCS(processors)
			}
		}
		before = now
	}
}

func newRouter(
	cfg *config.Config, budget *carrier.Budget, log *slog.Logger, kept *keeper, doors *guard.Guard, owner *desk.Desk, methods map[string]hub.Method,
) *hub.ServerRouter {
	o := hub.ServerOptions{
		Options: hub.Options{Logger: log, Times: cfg.Limits.Times()},
		Outbox: hub.OutboxOptions{
			Limit:    cfg.Limits.Outbox,
			Policy:   cfg.Limits.SlowListener,
			Deadline: cfg.Limits.BlockDeadline,
		},
		Memory:         budget,
		MaxSenders:     cfg.Limits.Senders,
		MaxListeners:   cfg.Limits.Listeners,
		RequestTimeout: cfg.Limits.RequestTimeout,
		Methods:        methods,
		Needs:          map[string]verb.Verb{methodCertificate: 0}, // it is shown to everybody who connects
		Denied:         func(d hub.Denial) { doors.Denied(d.Identity, d.Client.Addr, d.Verb.String(), d.Sender, d.Name) },
	}
	kept.apply(&o)
	owner.Apply(&o)
	owner.Router = hub.NewServerRouter(o)
	return owner.Router
}

// listen listens at every address, and adds what it opens to opened.
func listen(cfg *config.Config, budget *carrier.Budget, certificate *keys.Certificate, doors *guard.Guard, pages http.Handler, shelf mqtt.Shelf,
	changed chan<- struct{}, log *slog.Logger, opened *closers,
) (
	carriers []carrier.Carrier, err error,
) {
	list, err := address.Listen(cfg.Listen, address.Options{
		Version:        version(),
		MaxClients:     cfg.Limits.Clients,
		MaxPerAddress:  cfg.Limits.AddressClients,
		Window:         cfg.Limits.Outstanding,
		MaxMessage:     cfg.Limits.MessageSize,
		HelloTimeout:   cfg.Limits.HelloTimeout,
		MessageTimeout: cfg.Limits.MessageTimeout,
		WriteTimeout:   cfg.Limits.WriteTimeout,
		Budget:         budget,
		Certificate:    certificate,
		Login:          doors.Login(),
		Logger:         log,
		Shelf:          shelf,
		Changed:        changed,
		HTTP:           pages,
		Hosts:          cfg.HTTP.Hosts,
		Base:           cfg.HTTP.Base,
	})
	if err != nil {
		return nil, err
	}
	for _, server := range list {
		*opened = append(*opened, server)
		carriers = append(carriers, server)
		for _, addr := range server.Addrs() {
			log.Info("listening", "addr", addr)
			if a, err := address.Parse(addr); err == nil && !a.Local() && doors == nil {
				log.Warn("anyone who can reach this address can read and send: keep it inside a network that you trust", "addr", addr)
			}
		}
	}
	return carriers, nil
}
