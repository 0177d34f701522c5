package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"sighub/carrier"
	"sighub/carrier/serial"
	"sighub/carrier/serial/port/remote"
	"sighub/cmd/sighub/internal/linepast"
	"sighub/cmd/sighub/internal/site"
	"sighub/hub"
	"sighub/internal/config"
	"sighub/internal/plain"
	"sighub/internal/terminal"
)

// methodListPorts is the method of the hub that returns a list of serial.PortInfo. It takes no parameters.
const methodListPorts = "list_ports"

// methodListThresholds is the method of the hub that returns its thresholds, as they are configured. It takes no parameters.
const methodListThresholds = "list_thresholds"

func portMethods(ports *serial.Server, past *linepast.Past, thresholds []config.Threshold) map[string]hub.Method {
	return past.Methods(map[string]hub.Method{
		methodListPorts:      func(context.Context, carrier.Value) (any, error) { return ports.Ports(), nil },
		methodListThresholds: func(context.Context, carrier.Value) (any, error) { return limits(thresholds), nil },
	})
}

// A limit is a threshold as it is told.
type limit struct {
	Sender string   `json:"sender"`
	Event  string   `json:"event"`
	Above  *float64 `json:"above,omitempty"` // or Below
	Below  *float64 `json:"below,omitempty"`
	Until  float64  `json:"until"`
	Report string   `json:"report"`
	As     string   `json:"as"` // the sender of the report
}

func limits(thresholds []config.Threshold) []limit {
	list := make([]limit, len(thresholds))
	for i, t := range thresholds {
		list[i] = limit{Sender: t.Sender, Event: t.Event, Below: &t.Limit, Until: t.Until, Report: t.Report, As: t.As}
		if t.Above {
			list[i].Above, list[i].Below = list[i].Below, nil
		}
	}
	return list
}

// status says in a few words what the hub serves: for `systemctl status`.
func status(carriers []carrier.Carrier, ports *serial.Server) string {
	devices := 0
	for _, p := range ports.Ports() {
		if p.State == serial.PortConnected {
			devices++
		}
	}
	return fmt.Sprintf("devices: %d, connections: %d", devices, site.Connections(carriers))
}

type portsCommand struct {
	hubFlags
	Watch  bool   `short:"w" help:"Keep running, and show changes."`
	Output string `short:"o" enum:"text,json" default:"text" help:"text, or json: one object a line."`
}

// Help is what --help says in full.
func (*portsCommand) Help() string {
	return `A port is absent, opening, waiting (open, but no device has said HELLO, or no line was understood), connected, silent (the device does not answer)
or failed (the hub tries it again). RESENT counts the frames that the hub sent again, plus those that the device did. RTT is
the time from a frame to its answer. READINGS counts those that the hub has taken. What it has refused of a device, what is wrong
at a port and what can be done about it, and the latest text that the device has printed, stand below the table. CLOCK is the uncertainty of the time of a reading, and by how many parts per million the
device's clock is slow. Of a port that speaks lines, FRAMES counts lines, and BAD what was refused.

With --watch and --output json, a port is printed whenever its state, device, reason or problems change.

Examples:

    sighub ports
    sighub ports --watch
    sighub ports --output json | jq 'select(.state != "connected")'`
}

// How often --watch asks the hub.
const (
	watchScreen = time.Second
	watchLines  = 100 * time.Millisecond
)

// surePPM is the largest error of a drift that is worth showing, in parts per million: quartz drifts by 20 to 100.
const surePPM = 50

// Run lists the hub's serial ports.
func (c *portsCommand) Run(ctx context.Context, s *streams) error {
	return c.with(ctx, s, "sighub ports", func(ctx context.Context, r *hub.ClientRouter) error {
		w := portsPrinter{s: s, json: c.Output == "json", watch: c.Watch, told: make(map[string]string)}
		w.screen = c.Watch && !w.json && terminal.IsTerminal(s.out)
		every := watchLines
		if w.screen {
			every = watchScreen
		}
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			list, err := listPorts(ctx, r)
			switch {
			case err != nil && ctx.Err() != nil:
				return nil // the user has interrupted it
			case err != nil:
				return err
			}
			if err := w.print(list, w.trouble.ask(ctx, r)); err != nil || !c.Watch {
				return err
			}
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
		}
	})
}

func listPorts(ctx context.Context, r *hub.ClientRouter) ([]serial.PortInfo, error) {
	v, err := r.Call(ctx, methodListPorts, nil)
	if err != nil {
		return nil, err
	}
	var list []serial.PortInfo
	if err := v.Decode(&list); err != nil {
		return nil, fmt.Errorf("cannot read the hub's list of ports; the hub may be of another version: %w", err)
	}
	return list, nil
}

// A portsPrinter prints lists of ports: on a screen all ports, else the changes.
type portsPrinter struct {
	s                   *streams
	json, watch, screen bool
	told                map[string]string // by port: what was printed of it that matters
	trouble             journalTrouble
}

func (w *portsPrinter) print(list []serial.PortInfo, trouble string) error {
	if !w.screen {
		w.trouble.tell(w.s)
	}
	if w.watch && !w.screen && !w.changes(&list) {
		return nil
	}
	if w.json {
		return terminal.JSON(w.s.out, list)
	}
	if len(list) == 0 && !w.watch {
		w.s.note("the hub has no serial port: add one with `sighub run --serial`, or simulate one with `sighub simulate --pty`")
	}
	return terminal.AtOnce(w.s.out, w.screen, func(out io.Writer) error {
		if len(list) > 0 {
			if err := portsTable(out, list, time.Now()); err != nil {
				return err
			}
		}
		if w.screen && trouble != "" {
			return terminal.Line(out, "%s", trouble)
		}
		return nil
	})
}

// changes reports whether the list differs from what was printed. For JSON it also reduces the list to what differs.
func (w *portsPrinter) changes(list *[]serial.PortInfo) bool {
	var changed []serial.PortInfo
	now := make(map[string]string)
	for _, p := range *list {
		said := string(p.State) + "\n" + p.Reason
		if p.Device != nil {
			said += "\n" + p.Device.UID
		}
		said += remedies(p.Problems)
		now[p.Port] = said
		if w.told[p.Port] != said {
			changed = append(changed, p)
		}
	}
	fewer := len(now) < len(w.told)
	w.told = now
	if w.json {
		*list = changed
		return len(changed) > 0
	}
	return len(changed) > 0 || fewer
}

func portsTable(out io.Writer, list []serial.PortInfo, now time.Time) error {
	var rows [][]string
	for _, p := range list {
		row := []string{p.Port, string(p.State), age(now.Sub(p.Since)), "-", "-", dash(p.Baud), "-",
			strconv.FormatUint(p.Frames, 10), strconv.FormatUint(p.BadFrames, 10), "-", "-", "-"}
		if h := p.Spoken; h != nil {
			row[3] = h.Speaks + "/" + h.Format + " " + strings.Join(h.Senders[:min(len(h.Senders), 3)], ",")
			row[6] = fmt.Sprintf("%d (%.3g/s)", h.Readings, h.PerSecond)
			row[7], row[8] = strconv.FormatUint(h.Lines, 10), strconv.FormatUint(total(h.Refused), 10)
		} else if d := p.Device; d != nil {
			row[3], row[4] = deviceName(d), cmp.Or(d.Firmware, "-")
			row[6] = strconv.FormatUint(d.Readings, 10)
			if p.State == serial.PortConnected {
				row[6] += fmt.Sprintf(" (%.3g/s)", d.PerSecond)
			}
			row[9] = fmt.Sprintf("%d+%d", d.Resent, d.Repeated)
			if d.RoundTrip != nil {
				row[10] = fmt.Sprintf("%.1f ms", *d.RoundTrip)
			}
			if c := d.Clock; c != nil {
				row[11] = fmt.Sprintf("±%.1f ms", c.Uncertainty)
				if c.DriftError <= surePPM {
					row[11] += fmt.Sprintf(", %+.0f ppm", c.Drift)
				}
			}
		}
		rows = append(rows, row)
	}
	const header = "PORT\tSTATE\tSINCE\tDEVICE\tFIRMWARE\tBAUD\tREADINGS\tFRAMES\tBAD\tRESENT\tRTT\tCLOCK"
	if err := terminal.Table(out, header, rows); err != nil {
		return err
	}
	for _, p := range list {
		for _, line := range explain(p, now) {
			if err := terminal.Line(out, "%s: %s", p.Port, line); err != nil {
				return err
			}
		}
	}
	return nil
}

// explain returns sentences about a port for which the table has no room.
func explain(p serial.PortInfo, now time.Time) (lines []string) {
	if p.Reason != "" {
		line := plain.Text(p.Reason) + ": " + p.Remedy
		if p.State == serial.PortFailed && p.NextTry != nil {
			line += fmt.Sprintf(" (next try in %.1f s)", max(p.NextTry.Sub(now).Seconds(), 0))
		}
		lines = append(lines, line)
	}
	for _, problem := range p.Problems {
		lines = append(lines, plain.Text(problem.What)+": "+problem.Remedy)
	}
	if line := elsewhere(p.Port, p.Remote); line != "" {
		lines = append(lines, line)
	}
	if p.State == serial.PortWaiting && now.Sub(p.Since) > 5*time.Second && len(p.Problems) == 0 {
		silent := "no device has said HELLO: check that it runs sighub's firmware, and at which baud"
		if p.Spoken != nil {
			silent = "no line has arrived: check that the device prints something, and at which baud"
			if p.Spoken.Speaks == "modbus" {
				silent = "no unit has answered yet: check power and wires, and at which baud"
			}
		}
		lines = append(lines, silent)
	}
	if h := p.Spoken; h != nil && len(h.Refused) > 0 {
		line := "refused, by cause: " + counts(h.Refused)
		if l := h.LatestRefusal; l != nil {
			line += fmt.Sprintf("; the latest, %s ago: %s", age(now.Sub(l.At)), plain.Text(l.Error))
		}
		lines = append(lines, line)
	}
	if h := p.Spoken; h != nil && h.LatestAt != nil {
		lines = append(lines, fmt.Sprintf("the latest line, %s ago: %s", age(now.Sub(*h.LatestAt)), h.Latest))
	}
	standing := slices.ContainsFunc(p.Problems, func(problem serial.Problem) bool { return problem.What == p.Error })
	if p.Error != "" && p.ErrorAt != nil && p.State != serial.PortConnected && p.Error != p.Reason && !standing {
		lines = append(lines, fmt.Sprintf("last error, %s ago: %s", age(now.Sub(*p.ErrorAt)), plain.Text(p.Error)))
	}
	if d := p.Device; d != nil && len(d.Refused) > 0 {
		line := "refused of the device, by cause: " + counts(d.Refused)
		if l := d.LatestRefusal; l != nil {
			line += fmt.Sprintf("; the latest, %s ago: %s", age(now.Sub(l.At)), plain.Text(l.Error))
		}
		lines = append(lines, line)
	}
	if p.PrintsAt != nil && p.State == serial.PortConnected {
		lines = append(lines, fmt.Sprintf("the device printed, %s ago: %s", age(now.Sub(*p.PrintsAt)), p.Prints))
	}
	return lines
}

// elsewhere tells of the server of a port elsewhere what the port's name does not say; "" if that is nothing, or the port is here.
func elsewhere(port string, r *remote.Info) string {
	if r == nil {
		return ""
	}
	var parts, where []string
	if !strings.HasSuffix(port, "://"+r.Address) { // a name, which may mean several machines
		where = append(where, "is at "+r.Address)
	}
	if r.Server != "" {
		where = append(where, "served by "+strconv.Quote(r.Server))
	}
	if len(where) > 0 {
		parts = append(parts, strings.Join(where, ", "))
	}
	if r.Modem != "" {
		parts = append(parts, "modem lines: "+r.Modem)
	}
	if len(r.Errors) > 0 {
		parts = append(parts, "errors of its line: "+counts(r.Errors))
	}
	return strings.Join(parts, "; ")
}

func total(counts map[string]uint64) (sum uint64) {
	for _, n := range counts {
		sum += n
	}
	return sum
}

// remedies returns what of problems tells whether they have changed. What is wrong may be in other words each time.
func remedies(list []serial.Problem) string {
	texts := make([]string, len(list))
	for i, p := range list {
		texts[i] = p.Remedy
	}
	return "\n" + strings.Join(texts, "\n")
}

func deviceName(d *serial.DeviceInfo) string {
	if d.UID == d.Name {
		return d.Name
	}
	return d.Name + " (" + d.UID + ")"
}

func dash(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}

// age formats a time that has passed: 12s, 5m03s, 3h05m, 2d01h.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%.0fs", max(d.Seconds(), 0))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
	}
}
