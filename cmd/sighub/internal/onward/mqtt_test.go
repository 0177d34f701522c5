package onward

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sighub/hub"
	"sighub/internal/config"
	"sighub/journal"
	"sighub/sensors"
)

// writeCertificate writes a certificate for 127.0.0.1, which is its own authority, and its key.
func writeCertificate(t *testing.T, dir string) (certificate, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "broker"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "EC PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate, key
}

func startMosquitto(t *testing.T, dir string, lines ...string) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ = net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	conf := filepath.Join(dir, "mosquitto.conf")
	text := "listener " + port + " 127.0.0.1\nuser root\n" + strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path = "/usr/sbin/mosquitto"
	}
	cmd := exec.Command(path, "-c", conf) //nolint:noctx // it is killed
	if err := cmd.Start(); err != nil {
		t.Fatalf("mosquitto is missing: install it, on Debian with: apt-get install mosquitto: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = c.Close()
			return port
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("mosquitto does not listen")
	return ""
}

// TestMQTT: a broker with TLS and passwords is reached as it is configured, and what is wrong is told with a remedy.
func TestMQTT(t *testing.T) {
	dir := t.TempDir()
	certificate, key := writeCertificate(t, dir)
	users, password, wrong := filepath.Join(dir, "users"), filepath.Join(dir, "password"), filepath.Join(dir, "wrong")
	for file, text := range map[string]string{password: "secret\n", wrong: "wrong", users: ""} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.CommandContext(t.Context(), "mosquitto_passwd", "-b", users, "sighub", "secret").CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_passwd is missing: install it, on Debian with: apt-get install mosquitto: %v %s", err, out)
	}
	port := startMosquitto(t, dir, "allow_anonymous false", "password_file "+users, "certfile "+certificate, "keyfile "+key)
	state := t.TempDir()
	for name, row := range map[string]struct{ url, more, want, remedy string }{
		"right":          {"mqtts://127.0.0.1:", "user: sighub, password: " + password + ", ca: " + certificate, "", ""},
		"home":           {"mqtts://127.0.0.1:", "homeassistant: true, user: sighub, password: " + password + ", ca: " + certificate, "", ""},
		"wrong password": {"mqtts://127.0.0.1:", "user: sighub, password: " + wrong + ", ca: " + certificate, "refuses", "correct user and password"},
		"no password":    {"mqtts://127.0.0.1:", "user: sighub, password: " + dir + "/none, ca: " + certificate, "no such file", ""},
		"no authority":   {"mqtts://127.0.0.1:", "user: sighub, password: " + password, "authority", "with ca"},
		"other name":     {"mqtts://localhost:", "user: sighub, password: " + password + ", ca: " + certificate, "localhost", "write the name"},
		"clear text":     {"mqtt://127.0.0.1:", "user: sighub, password: " + password, "closed", "that for TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := config.Parse("x", fmt.Appendf(nil, "bridges: {mqtt: {url: '%s%s', %s}}", row.url, port, row.more))
			if err != nil {
				t.Fatal(err)
			}
			j, err := journal.Open(t.TempDir(), journal.Options{})
			if err != nil {
				t.Fatal(err)
			}
			place := Place{Version: "1", Folder: func(name string) string {
				folder := filepath.Join(state, name)
				_ = os.MkdirAll(folder, 0o700)
				return folder
			}}
			b, err := Open(cfg, j, place, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			router := hub.NewServerRouter(hub.ServerOptions{Journal: j})
			if err := b.Attach(router); err != nil {
				t.Fatal(err)
			}
			b.Own([]string{"cpu"})
			ctx, cancel := context.WithCancel(t.Context())
			served := make(chan error, 1)
			go func() { served <- router.Serve(ctx, b.Carriers()...) }()
			defer func() {
				cancel()
				if err := <-served; err != nil {
					t.Error(err)
				}
			}()
			for end := time.Now().Add(time.Minute); time.Now().Before(end); {
				st := b.Statuses()[0]
				switch {
				case st.Connected && row.want == "":
					return
				case st.Error != "" && (row.want == "" || !strings.Contains(st.Error, row.want) || !strings.Contains(st.Remedy, row.remedy)):
					t.Fatalf("%+v", st)
				case st.Error != "":
					return
				}
				time.Sleep(5 * time.Millisecond)
			}
			t.Fatal("nothing happens")
		})
	}
}

// TestHubID: it is made once.
func TestHubID(t *testing.T) {
	file := filepath.Join(t.TempDir(), "id")
	id, err := hubID(file, "name")
	if err != nil || len(id) != 12 {
		t.Fatalf("%q, %v", id, err)
	}
	if again, err := hubID(file, "name"); err != nil || again != id {
		t.Errorf("%q, %v", again, err)
	}
	if id, err := hubID(filepath.Join(file, "x"), "name"); err == nil {
		t.Errorf("%q", id)
	}
}

// TestIntervals: only what is reported all the time has an interval.
func TestIntervals(t *testing.T) {
	every := intervals(&config.Sensing{Sensors: []config.Sensor{
		{Sender: "cpu"},
		{Sender: "light", Period: time.Second, Outputs: []sensors.Output{
			{Quantity: "lux"}, {Quantity: "lux", Event: "slow", MinInterval: time.Minute}, {Quantity: "lux", Event: "change", Change: 5},
			{Quantity: "lux", Event: "both", Change: 5, MaxInterval: time.Hour},
		}},
	}})
	for _, row := range []struct {
		sender, event string
		want          time.Duration
	}{
		{"cpu", "temp", 10 * time.Second}, {"light", "lux", time.Second}, {"light", "slow", time.Minute}, {"light", "change", 0},
		{"light", "both", time.Hour}, {"light", "other", 0}, {"other", "temp", 0},
	} {
		if got := every(row.sender, row.event); got != row.want {
			t.Errorf("%s of %s comes every %s, not %s", row.event, row.sender, got, row.want)
		}
	}
}
