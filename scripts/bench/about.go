package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"sighub/scripts/bench/message"
	"sighub/scripts/bench/peers"
)

// machine describes the computer that was measured.
func machine() string {
	model := "unknown processor"
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if m := regexp.MustCompile(`model name\s*: (.*)`).FindSubmatch(b); m != nil {
			model = string(m[1])
		}
	}
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease") // it is told if it is known
	return fmt.Sprintf("%d × %s, Linux %s, %s", runtime.NumCPU(), model, bytes.TrimSpace(release), runtime.Version())
}

// settings describes the settings of the peers.
func settings(o *options) map[string]string {
	return map[string]string{
		"rounds":            fmt.Sprintf("%d of %s each, payload %d bytes, TCP on 127.0.0.1", o.rounds, o.span, message.Size),
		peers.Hub:           fmt.Sprintf("CBOR with hello, window %d, acknowledged end to end", peers.Window),
		peers.HubBare:       "as sighub, its clients are sockets without a library",
		peers.HubKeeps:      "as sighub, its listeners may keep the data of events",
		peers.HubJSON:       fmt.Sprintf("JSON with hello, window %d, acknowledged end to end", peers.Window),
		peers.HubMQTT:       "as sighub, its clients speak MQTT 3.1.1 with QoS 1",
		peers.JournalMQTT:   "as sighub-mqtt, what is acknowledged is synced; listeners have sessions in the journal",
		peers.HubTLS:        "as sighub, over TLS 1.3, with the hub's own certificate",
		peers.NATSTLS:       "as nats, over TLS 1.3, with a certificate of the same kind",
		peers.Journal:       "as sighub, and what is acknowledged is synced; listeners hear at once",
		peers.SlowDisk:      fmt.Sprintf("as sighub-journal, each sync %s slower", peers.SlowDiskBy),
		peers.MosquittoDisk: "as mosquitto, with sessions that it saves each second; syncs nothing that it acknowledges",
		peers.JetStream:     fmt.Sprintf("file store, ordered consumers, up to %d in flight; syncs each two minutes", peers.JetStreamInFlight),
		peers.JetStreamSync: "as nats-js, syncs what it acknowledges (sync_interval: always)",
		peers.Mosquitto:     fmt.Sprintf("QoS 1, up to %d in flight, no persistence, nothing limited, nodelay", peers.MQTTInFlight),
		peers.NATS:          "core: unacknowledged; its own client library",
		peers.Mochi:         fmt.Sprintf("QoS 1, senders at most %d messages ahead of the slowest listener", peers.MochiAhead),
		peers.Relay:         "forwards length-prefixed bytes: the limit",
	}
}

// versions returns the versions of the programs.
func versions(ctx context.Context, bin string) (map[string]string, error) {
	v := make(map[string]string)
	for _, p := range []struct {
		peer, pattern string
		command       []string
	}{
		{peers.Hub, `\S+, go[0-9.]+`, []string{filepath.Join(bin, "sighub"), "version"}},
		{peers.Mosquitto, `version \S+`, []string{"mosquitto", "-h"}},
		{peers.NATS, `v[0-9]\S*`, []string{filepath.Join(bin, "nats-server"), "--version"}},
	} {
		said, _ := exec.CommandContext(ctx, p.command[0], p.command[1:]...).CombinedOutput() // mosquitto -h fails
		found := regexp.MustCompile(p.pattern).FindString(string(said))
		if found == "" {
			return nil, fmt.Errorf("%s does not print its version: start run.sh, which builds and installs it; its output: %s", p.command[0], said)
		}
		v[p.peer] = strings.TrimPrefix(found, "version ")
	}
	info, err := buildinfo.ReadFile(filepath.Join(bin, "mochi"))
	if err != nil {
		return nil, fmt.Errorf("start run.sh, which builds it: %w", err)
	}
	for _, m := range info.Deps {
		if strings.HasPrefix(m.Path, "github.com/mochi-mqtt/") {
			v[peers.Mochi] = m.Version
		}
	}
	return v, nil
}
