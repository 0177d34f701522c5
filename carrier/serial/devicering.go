package serial

import (
	"math"
	"time"

	"sighub/carrier/serial/internal/link"
)

// A deviceRing is what the hub makes of the memory in which a device keeps its readings until they are answered, to find out how long
// an answer may wait for the disk. While an answer takes the time T, the device puts rate·T bytes beside those that are unanswered,
// and loses what finds no room. So an answer may wait for half of the time in which the memory would be full; the other half is for
// the line, the disk and chance. A steady device has rate·T bytes unanswered, so that T is a third of room/rate: 160 ms for 48 bytes
// and 20 readings a second of 5 bytes each. Nor may it wait for longer than half of the time in which the device fills its window:
// with large memory and small frames, that is less. For one reading a second, T is more than the second that nobody waits longer
// than. So many such devices share a commit.
//
// No device tells its room or its rate. The room is that of the firmware library, unless the device shows that it has more. The
// rate is the most that a second has brought, lately. While that is not known, because the device was silent, it may be any.
type deviceRing struct {
	room  float64   // bytes
	rate  float64   // bytes a second
	seen  time.Time // when the latest frame came; zero: none did
	known bool      // rate is

	began time.Time // when the first reading was taken of those that are counted now
	bytes float64   // of those

	shown   time.Time // the device had at this time
	showing float64   // so many bytes of readings at least, which it has sent since
}

const (
	usualRoom = 48 // bytes: SIGHUB_RING of the firmware library, if nothing else is chosen
	// countFor is the time of which a device's readings are counted together: not quite a second, so that two of a device with one
	// each second never are.
	countFor = 900 * time.Millisecond
	// halfAfter is the time after which a rate that has not been reached again counts for half.
	halfAfter = 5 * time.Minute
	// silence is the time after which nothing is known of a device's rate. Prompt answers to devices that report more seldom cost little.
	silence = time.Minute
	// promptly is how long an answer takes that must come as soon as possible. The journal has a bound of its own.
	promptly = time.Millisecond
)

func newDeviceRing() deviceRing { return deviceRing{room: usualRoom} }

// take notes the readings of a frame, which has so many bytes.
func (r *deviceRing) take(now time.Time, readings []link.Reading, size int) {
	if len(readings) == 0 {
		return
	}
	if age := now.Sub(r.seen); age < silence {
		r.rate *= math.Exp2(-float64(age) / float64(halfAfter))
	} else {
		r.known, r.rate, r.bytes, r.began = false, 0, 0, readings[0].Time
	}
	r.seen = now
	each := float64(size) / float64(len(readings))
	for _, reading := range readings {
		if d := reading.Time.Sub(r.began); d < 0 || d >= countFor {
			r.known, r.began, r.bytes = true, reading.Time, 0
		}
		r.bytes += each
		r.rate = max(r.rate, r.bytes/countFor.Seconds())
		if !reading.Time.Add(reading.Uncertainty).Before(r.shown) {
			r.shown, r.showing = now, 0
		}
		r.showing += each
	}
	r.room = max(r.room, r.showing)
}

// patience returns how long the answer may wait if the device has so many bytes of readings unanswered, of so many that its window
// allows.
func (r *deviceRing) patience(unanswered, window int) time.Duration {
	if !r.known {
		return promptly
	}
	most := min(r.room/3, (r.room-float64(unanswered))/2, float64(window)/2) / r.rate // seconds
	return max(promptly, time.Duration(most*float64(time.Second)))
}

// patience returns how long the device can wait for the answer to a frame of readings. The server's lock is held.
func (c *client) patience(e event, readings []link.Reading) time.Duration {
	c.ring.take(e.at, readings, len(e.arrival.Payload))
	l := &c.device.Link
	return max(promptly, c.ring.patience(l.UnansweredReadings(), l.Window()*l.PayloadLimit())-time.Since(e.at))
}

// messagePatience returns how long the device can wait for the answer to a message. The server's lock is held.
func (c *client) messagePatience(e event) time.Duration {
	if c.device.Link.Full() && e.arrival.In.Prompt() { // it came when the device had waited for an answer, and so does the next one
		return promptly
	}
	return 0
}
