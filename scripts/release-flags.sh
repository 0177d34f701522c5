# Sourced by the scripts that build what is installed. It sets release_flags, which go build is given.
#
# The hub speaks HTTP/1.1 alone, so HTTP/2 is left out. Packages that no event goes through are built without inlining, which makes the
# program a twentieth smaller. Those whose small functions are called for each event, such as encoding/binary, are not among them.
# shellcheck shell=bash disable=SC2034 # used by who sources it
release_flags=(-trimpath -tags nethttpomithttp2)
for cold in net net/http/... net/textproto net/url mime/... crypto/tls crypto/x509/... crypto/rsa crypto/ecdsa math/big compress/... \
	log/... encoding/json encoding/base64 encoding/csv encoding/asn1 encoding/pem html text/... regexp/... go/... vendor/... \
	golang.org/x/text/... golang.org/x/term github.com/nats-io/... github.com/klauspost/... github.com/goccy/... github.com/adrianmo/... \
	go.bug.st/... periph.io/... rsc.io/... sighub/cmd/... sighub/sensors/... sighub/web/... sighub/homeassistant/... \
	sighub/internal/config sighub/internal/commandline sighub/internal/manual sighub/internal/yamlfile sighub/internal/gateway \
	sighub/internal/guard sighub/internal/simulator sighub/internal/address sighub/internal/arguments sighub/access/... sighub/listen/keys \
	sighub/carrier/serial/port/discovery; do
	release_flags+=("-gcflags=$cold=-l")
done
unset cold
