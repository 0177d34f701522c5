package identities_test

import (
	"fmt"
	"os"

	"sighub/access/identities"
)

func Example() {
	folder, err := os.MkdirTemp("", "identities")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(folder) }() // it is a folder of this example
	store, err := identities.Open(folder, identities.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	token, err := store.AddToken("home-assistant", []string{"viewer"}, "")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(store.Token(token))
	_, err = store.Revoke("home-assistant", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(store.Token(token))
	// Output:
	// home-assistant <nil>
	//  identities: revoked
}
