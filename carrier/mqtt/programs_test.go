package mqtt_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"sighub/hub"
)

// program returns a command that ends with the test.
func program(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing: install it, on Debian with apt-get install mosquitto-clients python3-paho-mqtt", name)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return exec.CommandContext(ctx, path, args...)
}

func (w *world) hostPort() (host, port string) {
	host, port, err := net.SplitHostPort(w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	return host, port
}

// TestMosquittoClients: Debian's mosquitto_sub, mosquitto_pub and mosquitto_rr find a broker here.
func TestMosquittoClients(t *testing.T) {
	for version, flag := range map[string]string{"3.1.1": "mqttv311", "5": "mqttv5"} {
		t.Run(version, func(t *testing.T) {
			w := newWorld(t, worldOptions{folder: t.TempDir()})
			host, port := w.hostPort()
			run := func(name string, args ...string) (string, error) {
				c := program(t, name, append([]string{"-h", host, "-p", port, "-V", flag}, args...)...)
				out, err := c.CombinedOutput()
				return string(out), err
			}
			sub := program(t, "mosquitto_sub", "-h", host, "-p", port, "-V", flag, "-q", "1", "-t", "pump/+", "-F", "%t %p %r", "-i", "sub", "-c")
			out, err := sub.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := sub.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			await := func(want string) {
				t.Helper()
				for lines.Scan() {
					if strings.Contains(lines.Text(), want) {
						return
					}
				}
				t.Fatalf("mosquitto_sub has not said %q", want)
			}
			w.until("it has subscribed", func() bool {
				list, err := w.near.RemoteClients(t.Context())
				for _, c := range list.Clients {
					if c.Name == "sub" && c.Listeners > 0 {
						return true
					}
				}
				return err != nil
			})
			for i := range 3 {
				if out, err := run("mosquitto_pub", "-t", "pump/state", "-m", fmt.Sprintf("state %d", i), "-q", "1"); err != nil {
					t.Fatalf("mosquitto_pub: %v: %s", err, out)
				}
				await(fmt.Sprintf(`pump/state "state %d" 0`, i))
			}
			_ = sub.Process.Kill()
			_, _ = io.Copy(io.Discard, out)
			_ = sub.Wait()
			// the session is kept, and the last value is retained
			many := program(t, "mosquitto_pub", "-h", host, "-p", port, "-V", flag, "-t", "pump/n", "-l", "-q", "1")
			many.Stdin = strings.NewReader(strings.Join(numbers(500), "\n") + "\n")
			if out, err := many.CombinedOutput(); err != nil {
				t.Fatalf("mosquitto_pub: %v: %s", err, out)
			}
			got, err := run("mosquitto_sub", "-q", "1", "-t", "pump/+", "-i", "sub", "-c", "-F", "%t %p", "-W", "3")
			if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended { // -W ends it with an error
				t.Fatal(err)
			}
			heard := ""
			for line := range strings.Lines(got) {
				if n, ok := strings.CutPrefix(line, "pump/n "); ok {
					heard += n
				}
			}
			if want := strings.Join(numbers(500), "\n") + "\n"; heard != want {
				t.Errorf("heard %d lines of what came while it was away:\n%.300s", strings.Count(heard, "\n"), heard)
			}
			if got, err := run("mosquitto_sub", "-t", "pump/n", "-C", "1", "-F", "%p %r"); err != nil || strings.TrimSpace(got) != "499 1" {
				t.Errorf("retained: %q (%v)", got, err)
			}
			if out, err := run("mosquitto_pub", "-t", "pump/state", "-m", "x", "-q", "2"); version == "5" && !strings.Contains(out, "QoS not supported") {
				t.Errorf("QoS 2: %s (%v)", out, err)
			}
			if version != "5" {
				return
			}
			if _, err := w.router.AddSender("fan", hub.SenderOptions{Requests: map[string]hub.RequestHandler{"start": answerFan}}); err != nil {
				t.Fatal(err)
			}
			if got, err := run("mosquitto_rr", "-t", "fan/_request/start", "-e", "_answer/rr", "-m", "2", "-W", "10"); err != nil || strings.TrimSpace(got) != `{"started":2}` {
				t.Errorf("mosquitto_rr: %q (%v)", got, err)
			}
		})
	}
}

func numbers(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprint(i))
	}
	return list
}

// TestPaho: Debian's Paho for Python finds a broker here, in both versions.
func TestPaho(t *testing.T) {
	for name, version := range map[string]string{"3.1.1": "4", "5": "5"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, worldOptions{})
			host, port := w.hostPort()
			c := program(t, "/usr/bin/python3", "testdata/client.py", host, port, version) // Debian's own, which has its packages
			var said bytes.Buffer
			c.Stdout, c.Stderr = &said, &said
			if err := c.Run(); err != nil || strings.TrimSpace(said.String()) != "ok" {
				t.Errorf("%v: %s", err, said.String())
			}
		})
	}
}
