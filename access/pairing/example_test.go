package pairing_test

import (
	"fmt"

	"sighub/access/pairing"
)

// The hub prints an invitation. The other machine reads it, checks the hub's key, and proves that it was invited.
func Example() {
	hubKey, clientKey := [32]byte{1}, [32]byte{2} // SHA-256 of each public key, as TLS has proven them
	var pairings pairing.Pairings
	in, err := pairings.Start("pi.local:3000", hubKey, pairing.Grant{Name: "laptop", Roles: []string{"viewer"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	carried := in.String() // by a person, to the other machine

	typed, err := pairing.Parse(carried)
	if err != nil {
		fmt.Println(err)
		return
	}
	proof, err := typed.Proof(hubKey, clientKey)
	if err != nil {
		fmt.Println(err)
		return
	}
	grant, err := pairings.Try(typed.ID(), proof, hubKey, clientKey)
	fmt.Println(typed.Address, grant.Name, grant.Roles, err)
	// Output: pi.local:3000 laptop [viewer] <nil>
}
