package main

import (
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"sighub/carrier/tcp"
	"sighub/internal/address"
	"sighub/internal/config"
	"sighub/internal/plain"
	"sighub/listen/keys"
)

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

// openCertificate returns what the hub shows in TLS; nil if it shows nothing. A hub that cannot have a certificate of its own goes
// on without TLS, unless it is configured to require it somewhere.
func openCertificate(cfg *config.Config, log *slog.Logger) (*keys.Certificate, error) {
	if cfg.TLS.Certificate != "" {
		return keys.Files(cfg.TLS.Certificate, cfg.TLS.Key, log)
	}
	wanted, required := false, ""
	for _, a := range cfg.Listen {
		wanted = wanted || a.TLS != "off"
		if a.TLS == "required" {
			required = a.String()
		}
	}
	if !wanted {
		return nil, nil //nolint:nilnil // there is none
	}
	dir, err := cfg.State, error(nil)
	if dir == "" {
		dir, err = usualState()
	}
	if err == nil {
		var c *keys.Certificate
		if c, err = keys.Own(filepath.Join(dir, "tls"), log); err == nil {
			return c, nil
		}
	}
	if required != "" {
		return nil, fmt.Errorf("%s takes TLS only, and the hub has no certificate: %w", required, err)
	}
	log.Warn("TLS is not offered: the hub has no certificate", "folder", dir, "error", err)
	return nil, nil //nolint:nilnil // there is none
}
