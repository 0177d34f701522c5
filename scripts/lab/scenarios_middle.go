package main

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"sighub/carrier/serial/fault"
	"sighub/scripts/lab/wire"
)

// middleOfFrame: the line is cut between two bytes of a frame with readings.
func middleOfFrame(b *bench) {
	a, d := b.usual()
	was := b.connected(b.begin, d)
	gone := b.judge("#disconnect", goneLimit, func() time.Duration {
		b.flows(d, 2)
		from := b.mark()
		a.half.Store(true)
		receive(b, a.halfs, "the device has sent nothing more")
		b.unplug(a)
		took := b.hearsOfPull(from, d)
		b.same(d, was, b.putBack(a, d, 0, 1).connection)
		return took
	})
	n := b.each(0, d)
	b.saw("#disconnect after %s; %d readings, each once and in order", round(gone), n)
}

// middleOfRequest: a caller that waits for the device's answer gets an error at once.
func middleOfRequest(b *bench) {
	a, d := b.usual()
	text := ""
	took := b.judge("the error of the request", goneLimit, func() time.Duration {
		answer, err := b.machine.begin("request", wire.Target{Sender: d.name, Method: neverRequest})
		b.must(err)
		for asked := ""; asked != neverRequest; {
			asked = receive(b, d.asked, "the device was never asked")
		}
		out := b.pulledOut(a)
		answered := receive(b, answer, "the request was never answered")
		if answered.Error != "" {
			b.fail("the request could not be made: %s", answered.Error)
		}
		var r wire.Reply
		b.must(json.Unmarshal(answered.Result, &r))
		if r.Text == "" {
			b.fail("the request was answered with %s, though the device never did", r.Data)
		}
		if !strings.Contains(r.Text, "gone") {
			b.fail("the caller is not told that the device has gone, but: %s", r.Text)
		}
		text = r.Text
		b.putBack(a, d, 0, 1)
		return time.Duration(r.At - out.At)
	})
	var r wire.Reply
	b.call("request", wire.Target{Sender: d.name, Method: readRequest}, &r)
	if r.Text != "" {
		b.fail("the device does not answer any more: %s", r.Text)
	}
	b.saw("%q after %s; the next one is answered", text, round(took))
}

// middleOfRate: the device has changed to the offered rate, and is gone before the hub can try it.
func middleOfRate(b *bench) {
	const usual, fastest = 115200, 1000000
	a, d := b.device(deviceOptions{name: "light", fastest: fastest})
	b.serve(wire.Program{})
	tried := 0
	for range 3 {
		b.plug(a, 0, 1)
		for tried = usual; tried == usual; {
			tried = receive(b, a.rates, "the hub has never offered a rate")
		}
		b.pulledOut(a)
		for len(a.rates) > 0 {
			<-a.rates
		}
	}
	is := b.putBack(a, d, 0, 1)
	b.flows(d, 20)
	b.each(0, d)
	b.balanced(d)
	b.saw("three times at %d baud; then readings after %s", tried, round(is.first))
}

// slowListener: one listener accepts no more events, and its outbox is full. Another still hears everything.
func slowListener(b *bench) {
	a, d := b.device(deviceOptions{name: "light", period: time.Millisecond})
	b.serve(wire.Program{})
	b.startListener(wire.Target{Name: "slow", Slow: true})
	b.putBack(a, d, 0, 1)
	b.wait(b.begin, "the slow listener's outbox to be full", logged("dropped", "slow"))
	d.period.Store(int64(usualPeriod)) // otherwise this would measure the speed of the emulated computer
	b.catchesUp(d)
	gone := b.judge("#disconnect", goneLimit, func() time.Duration {
		took := b.pull(a, d)
		b.putBack(a, d, 0, 1)
		b.catchesUp(d)
		return took
	})
	b.saw("#disconnect after %s at the other listener, which heard %d readings, each once and in order", round(gone), b.each(0, d))
}

// starting: at each step of the hub's start the port is removed, and comes back later.
func starting(b *bench) {
	a, d := b.device(deviceOptions{name: "light"})
	steps := []struct {
		name string
		at   match
	}{
		{"before anything", nil},
		{"as it listens", logged("msg=listening")},
		{"as it opens the port", opened},
	}
	for _, step := range steps {
		b.pluggedIn(a, 0, 1, "")
		from := b.beginHub(wire.Program{})
		if step.at != nil {
			b.wait(from, "the hub: "+step.name, step.at)
		}
		b.pulledOut(a)
		b.listen()
		b.putBack(a, d, 0, 1)
		b.flows(d, 3)
		b.call("unlisten", wire.Target{Name: listener}, nil)
		b.stopHub()
		b.pulledOut(a)
	}
	b.saw("connected after it, %d times", len(steps))
}

// stopping: the port is removed just before and just after the hub is told to end.
func stopping(b *bench) {
	// If an adapter is removed while the kernel waits for its answer, as it does while draining a port, QEMU drops the request,
	// and the kernel waits for 5 s. Nothing can end the hub before that.
	const limit = 8 * time.Second
	for _, portFirst := range []bool{false, true} {
		a, _ := b.usual()
		first, steps := "the hub", []func(){
			func() { b.call("signal", wire.Target{Name: b.hub, Signal: sigTerm}, nil) },
			func() { b.unplug(a) },
		}
		if portFirst {
			first = "the port"
			slices.Reverse(steps)
		}
		from, begin := b.mark(), b.now()
		for _, step := range steps {
			step()
		}
		end := b.wait(from, "the hub to end", func(s wire.Sight) bool { return s.Kind == wire.Exit && s.By == b.hub })
		took := time.Duration(end.At - begin)
		if end.Code != 0 || took > limit {
			b.fail("%s first: the hub ended after %s with exit code %d", first, round(took), end.Code)
		}
		b.call("unlisten", wire.Target{Name: listener}, nil)
		b.saw("%s first: the hub ended after %s, exit code 0", first, round(took))
	}
}

// bootText: the hub does not open a port again, or try other rates, because a board prints text when it starts.
func bootText(b *bench) {
	a := b.adapter()
	b.serve(wire.Program{})
	from := b.mark()
	b.plug(a, 0, 1)
	b.wait(from, "the hub to open the port", opened)
	text := []byte(fault.ESP32())
	chance := rand.New(rand.NewPCG(1, 1)) // text at another rate is noise that contains zero bytes
	for len(text) < 4096 {
		text = append(text, byte(chance.Uint32()))
	}
	begin := b.now()
	const lasts = 2 * time.Second
	d := b.deviceAt(noise(a, text, lasts), deviceOptions{name: "light"})
	hello := b.wait(from, "#connect", heard("light", "#connect"))
	b.flows(d, 5)
	after := time.Duration(hello.At-begin) - lasts
	times := count(b.since(from), opened)
	b.saw("opened %d time, #connect %s after the last of it", times, round(after))
	if times != 1 {
		b.fail("the port was opened %d times", times)
	}
}
