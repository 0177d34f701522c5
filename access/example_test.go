package access_test

import (
	"fmt"

	"sighub/access"
	"sighub/hub/verb"
)

// A file and the identities that a hub knows make a policy, which answers with the line that decides.
func Example() {
	rules, err := access.Parse("access.yaml", []byte(`roles:
  gardener:
    - listen: {sender: "green*", event: "*"}
identities:
  alice: gardener
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	policy, err := access.Compile(rules, []access.Member{{Name: "alice", Roles: []string{"viewer"}}}, access.System{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(policy.Explain("alice", verb.Listen, "greenhouse", "lux"))
	fmt.Println(policy.Explain("alice", verb.Listen, "bedroom", "lux"))
	// Output:
	// alice may listen to lux of greenhouse: access.yaml:3, with the role gardener
	// alice may not listen to lux of bedroom: its roles (gardener), which it has by access.yaml:5, allow it only for green* *, by access.yaml:3
}
