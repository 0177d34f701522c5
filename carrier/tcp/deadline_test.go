package tcp

import (
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sighub/carrier"
)

// ended returns a function that reports after how long the hub has ended the connection, or 0 if it has not, and what it wrote.
func ended(nc net.Conn) func() (time.Duration, string) {
	begin := time.Now()
	type end struct {
		after time.Duration
		text  string
	}
	c := make(chan end, 1)
	go func() {
		b, _ := io.ReadAll(nc)
		c <- end{time.Since(begin), string(b)}
	}()
	return func() (time.Duration, string) {
		synctest.Wait()
		select {
		case e := <-c:
			return e.after, e.text
		default:
			return 0, ""
		}
	}
}

// TestFirstMessageDeadline: who has not said anything complete ten seconds after connecting is disconnected, whatever it has
// begun to say, and is counted.
func TestFirstMessageDeadline(t *testing.T) {
	for name, says := range map[string]string{
		"nothing": "", "half": `{"id":1,"method":"hello"`, "spaces": strings.Repeat(" \n", 500), "CBOR": cborMark + "\x58\x40\xa3",
		"refused": `{"id":1,"method":"hello","params":{"protocol":7}} `,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newPipeHub(t, Limits{})
				nc, wait := h.connect()
				end := ended(nc)
				for i := range len(says) + 20 { // as slowly as it can
					if i < len(says) {
						_, _ = io.WriteString(nc, says[i:i+1])
					}
					time.Sleep(time.Second / 2)
				}
				if after, _ := end(); after < 10*time.Second || after > 12*time.Second {
					t.Errorf("it is disconnected after %v", after)
				}
				_ = nc.Close()
				wait()
				if n := h.Stats().Refused["timeout"]; n != 1 {
					t.Errorf("%d are counted", n)
				}
			})
		})
	}
}

// TestMessageDeadline: a client may be silent between messages for as long as it likes, and take up to thirty seconds for each.
// One that takes longer is told, and disconnected.
func TestMessageDeadline(t *testing.T) {
	for _, codec := range []carrier.Codec{carrier.JSON, carrier.CBOR} {
		t.Run(codec.Name(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newPipeHub(t, Limits{})
				nc, wait := h.connect()
				hello := `{"id":0,"method":"hello","params":{"protocol":1}}`
				message := `{"id":1,"status":0}`
				if codec == carrier.CBOR {
					hello, message = cborMark+bstr(t, cborHello), bstr(t, "a2 00 01 03 00")
				}
				end := ended(nc)
				say := func(text string) {
					if _, err := io.WriteString(nc, text); err != nil {
						t.Fatal(err)
					}
				}
				say(hello)
				time.Sleep(time.Hour)
				for range 20 { // the end of one and the beginning of the next come together
					say(message[:3])
					time.Sleep(29 * time.Second)
					say(message[3:] + message[:5])
					time.Sleep(29 * time.Second)
					say(message[5:])
				}
				if after, text := end(); after > 0 {
					t.Fatalf("it is disconnected after %v: %s", after, text)
				}
				begin := time.Now()
				for i := range message {
					if _, err := io.WriteString(nc, message[i:i+1]); err != nil {
						break
					}
					time.Sleep(7 * time.Second)
				}
				_, text := end()
				if took := time.Since(begin); took > 40*time.Second || !strings.Contains(text, "30s after its first byte") {
					t.Errorf("it is disconnected after %v: %q", took, text)
				}
				_ = nc.Close()
				wait()
			})
		})
	}
}

// TestReadingSlowly: a client that reads all the time, but very slowly, is disconnected after four write timeouts.
func TestReadingSlowly(t *testing.T) {
	for name, hello := range map[string]string{"hello": `{"id":0,"method":"hello","params":{"protocol":1}}`, "legacy": `{"id":0,"method":"echo"}`} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newPipeHub(t, Limits{})
				nc, wait := h.connect()
				begin := time.Now()
				go func() { // it asks for more than it reads
					ask := `{"id":1,"method":"echo","params":"` + strings.Repeat("x", 3000) + `"}`
					_, err := io.WriteString(nc, hello)
					for err == nil {
						_, err = io.WriteString(nc, ask)
					}
				}()
				b := make([]byte, 200)
				for time.Since(begin) < time.Hour {
					time.Sleep(5 * time.Second)
					if _, err := nc.Read(b); err != nil {
						break
					}
				}
				if took := time.Since(begin); took < 2*time.Minute || took > 5*time.Minute {
					t.Errorf("it is disconnected after %v", took)
				}
				_ = nc.Close()
				wait()
				if n := h.Stats().Refused["timeout"]; n != 1 {
					t.Errorf("%d are counted", n)
				}
			})
		})
	}
}
