package main

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"

	"sighub/carrier/tcp"
	"sighub/cmd/sighub/internal/joined"
	"sighub/internal/address"
	"sighub/internal/plain"
	"sighub/listen/keys"
)

// localSocket returns where the hub of this machine has its socket, as `sighub setup` sets it up. systemd says the folder to programs
// of its own.
func localSocket() string {
	return filepath.Join(cmp.Or(os.Getenv("RUNTIME_DIRECTORY"), "/run/sighub"), "hub.sock")
}

// usualHub is where a hub is that nobody has set up.
const usualHub = "tcp://127.0.0.1:3000"

// choose decides which hub it is if neither the command line nor the environment says so: that of this machine, else the one that was
// joined.
func (f *hubFlags) choose() error {
	if f.Hub != "" {
		return nil
	}
	if info, err := os.Stat(localSocket()); err == nil && info.Mode()&os.ModeSocket != 0 {
		f.Hub = "unix://" + localSocket()
		return nil
	}
	f.Hub = usualHub
	folder, err := joined.Folder()
	if err != nil {
		return nil //nolint:nilerr // a user without a folder has joined nothing
	}
	hub, err := joined.Load(folder)
	if hub != nil {
		f.Hub = hub.URL()
	}
	return err
}

// place returns where the hub is, and how it is known and is shown who this is.
func (f *hubFlags) place() (addr address.Address, secure tcp.TLS, err error) {
	if err := f.choose(); err != nil {
		return addr, secure, err
	}
	addr, err = address.ParseHub(f.Hub)
	if err != nil {
		return addr, secure, usageError{fmt.Errorf("--hub %s: %w", f.Hub, err)}
	}
	f.useJoined(&addr)
	secure, err = f.tls(&addr)
	return addr, secure, err
}

// useJoined has the hub that was joined be known by its pin, and know this user by the key, also if its address is given.
func (f *hubFlags) useJoined(addr *address.Address) {
	folder, err := joined.Folder()
	if err != nil || addr.Network != "tls" {
		return
	}
	hub, err := joined.Load(folder)
	if err != nil || hub == nil || hub.Address != addr.Addr {
		return
	}
	pin, err := keys.ParsePin(hub.Pin)
	if err != nil {
		return
	}
	if addr.Pin.IsZero() && f.Pin == "" && f.CA == "" {
		addr.Pin = pin
	}
	if f.Key == "" {
		f.Key = joined.KeyFile(folder)
	}
}

// tls returns what the flags say about TLS.
func (f *hubFlags) tls(addr *address.Address) (o tcp.TLS, err error) {
	switch {
	case addr.Network == "tls":
	case f.Pin != "" || f.CA != "":
		return o, usageError{fmt.Errorf("--pin and --ca are for TLS, and %s is clear text: write --hub tls://%s", addr, addr.Addr)}
	default: // a key is shown where it can be
		return o, nil
	}
	if f.Pin != "" {
		pin, err := keys.ParsePin(f.Pin)
		if err != nil {
			return o, usageError{fmt.Errorf("--pin: %s", plain.Text(err.Error()))}
		}
		if !addr.Pin.IsZero() && addr.Pin != pin {
			return o, usageError{fmt.Errorf("--pin and the pin in --hub %s are not the same: leave one of them out", f.Hub)}
		}
		addr.Pin = pin
	}
	if f.CA != "" {
		data, err := os.ReadFile(f.CA)
		if err != nil {
			return o, usageError{fmt.Errorf("--ca: %w", err)}
		}
		o.Authorities = x509.NewCertPool()
		if !o.Authorities.AppendCertsFromPEM(data) {
			return o, usageError{fmt.Errorf("--ca: %s has no certificate in PEM", f.CA)}
		}
	}
	if f.Key != "" {
		if o.Key, err = keys.Client(f.Key); err != nil {
			return o, err
		}
	}
	return o, nil
}
