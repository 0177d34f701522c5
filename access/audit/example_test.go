package audit_test

import (
	"fmt"
	"os"
	"time"

	"sighub/access/audit"
)

func Example() {
	log, err := audit.Open(audit.Options{Writer: os.Stdout})
	if err != nil {
		fmt.Println(err)
		return
	}
	log.Record(audit.Record{
		Time: time.Unix(0, 0), Event: audit.Denied, Verdict: audit.Refused, Who: "alice", From: "192.168.1.7", Verb: "listen", Sender: "bedroom", Name: "lux",
	})
	if err := log.Close(); err != nil {
		fmt.Println(err)
	}
	// Output: {"time":"1970-01-01T00:00:00Z","event":"denied","verdict":"denied","who":"alice","from":"192.168.1.7","verb":"listen","sender":"bedroom","name":"lux"}
}
