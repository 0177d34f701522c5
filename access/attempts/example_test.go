package attempts_test

import (
	"fmt"
	"net/netip"

	"sighub/access/attempts"
)

func Example() {
	var limiter attempts.Limiter
	address := netip.MustParseAddr("192.168.1.7")
	for range attempts.Burst {
		limiter.Begin(address) // and the password is wrong
	}
	_, wait := limiter.Begin(address)
	fmt.Println(wait > 0)
	// Output: true
}
