package simulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"sighub/carrier/serial/port"
	"sighub/sensors/lines/formats"
	"sighub/sensors/simulated"
)

// LinesOptions say what a device is that prints lines.
type LinesOptions struct {
	Format string
	Rate   float64       // times per second that it prints; 0: as fast as the line takes it
	Count  int           // times in all; 0: no end
	Day    time.Duration // the length of a simulated day
}

// A LinePrinter is a device that prints the values of a simulated place in a format of package formats. One of MySensors also answers
// what it is asked, and one that prints a pattern answers "?" with a line.
type LinePrinter struct {
	opts  LinesOptions
	place simulated.Drift

	mu      sync.Mutex
	printed int
}

// NewLinePrinter returns a LinePrinter.
func NewLinePrinter(o LinesOptions) (*LinePrinter, error) {
	if err := (&formats.Options{Format: o.Format, Pattern: "(?P<v>.)"}).Check(); err != nil {
		return nil, err
	}
	return &LinePrinter{opts: o, place: simulated.Drift{Day: o.Day, Start: time.Now().Add(-o.Day * 3 / 10)}}, nil
}

// Query returns what the hub must know of the device, as the query of its port.
func (d *LinePrinter) Query() string {
	query := "speaks=lines&format=" + d.opts.Format
	switch d.opts.Format {
	case formats.CSV:
		query += "&columns=temp,hum,lux"
	case formats.Pattern:
		query += "&pattern=T=(?P<temp>[-0-9.]+) H=(?P<hum>[0-9.]+)"
	}
	return query + "&sender=simulated"
}

// Printed returns how often it has printed.
func (d *LinePrinter) Printed() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.printed
}

// Run prints on the line that open opens until Count is reached or ctx is done. It opens a line that was lost again.
func (d *LinePrinter) Run(ctx context.Context, open func(context.Context) (port.Port, error)) error {
	for ctx.Err() == nil {
		p, err := open(ctx)
		if err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(500 * time.Millisecond):
			}
			continue
		}
		if done := d.serve(ctx, p); done {
			return nil
		}
	}
	return nil
}

// serve prints on one line, and reports whether it has printed enough.
func (d *LinePrinter) serve(ctx context.Context, p port.Port) (done bool) {
	stop := context.AfterFunc(ctx, func() { _ = p.Close() })
	defer stop()
	var answering sync.WaitGroup
	defer answering.Wait()
	defer func() { _ = p.Close() }()
	lost := make(chan struct{})
	answering.Go(func() {
		defer close(lost)
		d.answer(p)
	})
	if _, err := io.WriteString(p, d.greeting()); err != nil {
		return false
	}
	pause := time.Duration(0)
	if d.opts.Rate > 0 {
		pause = time.Duration(float64(time.Second) / d.opts.Rate)
	}
	for next := time.Now(); d.opts.Count == 0 || d.Printed() < d.opts.Count; {
		if _, err := io.WriteString(p, d.text(time.Now())); err != nil {
			return false
		}
		d.mu.Lock()
		d.printed++
		d.mu.Unlock()
		next = next.Add(pause)
		select {
		case <-ctx.Done():
			return true
		case <-lost: // it is known here first, where nothing that is written shows it
			return false
		case <-time.After(time.Until(next)):
		}
	}
	if drain, ok := p.(port.Drainer); ok {
		_ = drain.Drain()
	}
	return true
}

// greeting is what it prints at its start.
func (d *LinePrinter) greeting() string {
	switch d.opts.Format {
	case formats.CSV:
		return "temp,hum,lux\r\n"
	case formats.MySensors:
		return "0;255;3;0;14;Gateway startup complete.\n12;255;0;0;17;2.3.2\n12;6;0;0;6;Outside\n12;7;0;0;7;\n12;8;0;0;3;Pump\n"
	}
	return ""
}

// text is what it prints at a time.
func (d *LinePrinter) text(at time.Time) string {
	temp, lux := d.place.Temperature(at).Value, d.place.Light(at).Value
	hum := math.Round((60-temp)*10) / 10
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	switch d.opts.Format {
	case formats.JSON:
		return fmt.Sprintf("{\"temp\":%s,\"hum\":%s,\"light\":{\"lux\":%s}}\r\n", number(temp), number(hum), number(lux))
	case formats.Pairs:
		return fmt.Sprintf("temp:%s,hum:%s,lux:%s\r\n", number(temp), number(hum), number(lux))
	case formats.CSV:
		return number(temp) + "," + number(hum) + "," + number(lux) + "\r\n"
	case formats.Number:
		return number(math.Round(lux)) + "\r\n"
	case formats.NMEA:
		return d.fix(at.UTC(), temp)
	case formats.MySensors:
		return fmt.Sprintf("12;6;1;0;0;%s\n12;7;1;0;1;%s\n", number(temp), number(hum))
	case formats.DSMR:
		return d.telegram(at, lux)
	}
	return "T=" + number(temp) + " H=" + number(hum) + "\r\n" // for the pattern of Query
}

// fix is what a receiver prints on its way around a lake.
func (d *LinePrinter) fix(at time.Time, altitude float64) string {
	angle := 2 * math.Pi * float64(at.UnixMilli()%600_000) / 600_000
	lat, lon := 47.55+0.02*math.Sin(angle), 9.5+0.03*math.Cos(angle)
	place := fmt.Sprintf("%02.0f%07.4f,N,%03.0f%07.4f,E", math.Floor(lat), (lat-math.Floor(lat))*60, math.Floor(lon), (lon-math.Floor(lon))*60)
	clock := at.Format("150405.00")
	return formats.Sentence(fmt.Sprintf("GPRMC,%s,A,%s,5.5,%05.1f,%s,,,A", clock, place, math.Mod(720-angle*180/math.Pi, 360), at.Format("020106"))) + "\r\n" +
		formats.Sentence(fmt.Sprintf("GPGGA,%s,%s,1,09,0.9,%.1f,M,47.0,M,,", clock, place, 395+altitude/100)) + "\r\n"
}

// telegram is what a meter prints in a house where the light goes on when it gets dark.
func (d *LinePrinter) telegram(at time.Time, lux float64) string {
	power := 0.2 + 1/(1+lux/100)
	energy := 1000 + float64(at.Unix()%10_000_000)/3600*power
	local := at.In(time.FixedZone("", 3600))
	return formats.Telegram(`SIM5\2SIGHUB`, "", "1-3:0.2.8(50)", "0-0:1.0.0("+local.Format("060102150405")+"W)",
		fmt.Sprintf("1-0:1.8.1(%010.3f*kWh)", energy), "1-0:1.8.2(000500.000*kWh)", "0-0:96.14.0(0001)",
		fmt.Sprintf("1-0:1.7.0(%06.3f*kW)", power), "1-0:2.7.0(00.000*kW)", fmt.Sprintf("1-0:21.7.0(%06.3f*kW)", power), "1-0:32.7.0(230.1*V)",
		"0-1:24.1.0(003)", "0-1:24.2.1("+local.Truncate(5*time.Minute).Format("060102150405")+"W)(00123.456*m3)")
}

// answer answers what it is asked until the line is lost.
func (d *LinePrinter) answer(p port.Port) {
	var s formats.Splitter
	buffer := make([]byte, 512)
	for {
		n, err := p.Read(buffer)
		s.Feed(buffer[:n], time.Now(), func(line []byte, _ time.Time) {
			if reply := d.reply(string(line)); reply != "" {
				_, _ = io.WriteString(p, reply) // the printer notices that the line is lost
			}
		})
		if err != nil && !errors.Is(err, io.EOF) || err != nil && n == 0 {
			return
		}
	}
}

func (d *LinePrinter) reply(line string) string {
	if d.opts.Format != formats.MySensors {
		if d.opts.Format == formats.Pattern && strings.TrimSpace(line) == "?" {
			return d.text(time.Now())
		}
		return ""
	}
	m, err := formats.ParseMessage(line)
	switch {
	case err != nil:
		return ""
	case m.Command == formats.Set && m.Ack: // the echo
		return m.String() + "\n"
	case m.Command == formats.Request && m.Type == 0:
		m.Command, m.Payload = formats.Set, strconv.FormatFloat(d.place.Temperature(time.Now()).Value, 'f', -1, 64)
		return m.String() + "\n"
	case m.Command == formats.Internal && m.Type == formats.Present:
		return strings.TrimPrefix(d.greeting(), "0;255;3;0;14;Gateway startup complete.\n")
	}
	return ""
}
