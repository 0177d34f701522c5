package lines

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sighub/sensors/lines/formats"
)

// A tuned port has a device that prints at one rate. At another one, its text is noise.
type tuned struct {
	rate, set int
	tried     []int
	closed    chan struct{}
	text      chan string
}

func (p *tuned) Read(b []byte) (int, error) {
	select {
	case <-p.closed:
		return 0, errGone
	case text := <-p.text:
		if p.set == p.rate {
			return copy(b, text), nil
		}
		for i := range text { // what a line in a wrong rate gives: few bytes are as they were
			if i%5 != 0 {
				b[i] = text[i] | 0x80
			} else {
				b[i] = text[i] & 0x1f
			}
		}
		return len(text), nil
	}
}
func (p *tuned) Write(b []byte) (int, error) { return len(b), nil }
func (p *tuned) Close() error                { close(p.closed); return nil }
func (p *tuned) SetBaud(rate int) error {
	p.set = rate
	p.tried = append(p.tried, rate)
	return nil
}

// TestAutoBaud: the rate is found at which text arrives, and is the first one that is tried when the port comes back.
func TestAutoBaud(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options(formats.Pairs)
		o.Baud, o.Sender = 0, "kitchen"
		b := &bench{t: t, log: &logged{}}
		p := b.tunedPort(o, 57600)
		for range 20 {
			p.text <- "temp:21.5,hum:40\n"
			time.Sleep(time.Second)
		}
		if want := []int{9600, 115200, 57600}; !slices.Equal(p.tried, want) {
			t.Errorf("tried %d, want %d", p.tried, want)
		}
		if s := b.speaker.Spoken(time.Now()); s.Baud != 57600 || s.Readings < 2*10 {
			t.Errorf("%+v", s)
		}
		b.stop(nil)
		if err := <-b.ended; err == nil {
			t.Error("no error")
		}
		p = b.again(57600)
		p.text <- "temp:21.5,hum:40\n"
		synctest.Wait()
		if want := []int{57600}; !slices.Equal(p.tried, want) {
			t.Errorf("tried %d, want %d", p.tried, want)
		}
		b.stop(nil)
		if err := <-b.ended; err == nil {
			t.Error("no error")
		}
	})
}

// TestOtherRate: a device that prints at another rate from some moment on is understood again, and the sender stays.
func TestOtherRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := options(formats.Pairs)
		o.Baud, o.Sender = 0, "kitchen"
		b := &bench{t: t, log: &logged{}}
		p := b.tunedPort(o, 9600)
		say := func(lines int) (readings uint64) {
			for range lines {
				p.text <- "temp:21.5,hum:40\n"
				time.Sleep(time.Second)
			}
			synctest.Wait()
			return b.speaker.Spoken(time.Now()).Readings
		}
		first := say(2000)
		p.rate = 57600
		again := say(100)
		if s := b.speaker.Spoken(time.Now()); s.Baud != 57600 || first < 2*1990 || again < first+2*50 || len(s.Senders) != 1 {
			t.Errorf("%d readings, and then %d: %+v", first, again, s)
		}
		b.stop(nil)
		if err := <-b.ended; err == nil {
			t.Error("no error")
		}
	})
}

// TestUsualRates: each rate is tried once.
func TestUsualRates(t *testing.T) {
	for _, format := range formats.Names() {
		rates := usualRates(format)
		unique := slices.Compact(slices.Sorted(slices.Values(rates)))
		if len(unique) != len(rates) || len(rates) < 16 {
			t.Errorf("%s: %d", format, rates)
		}
	}
}
