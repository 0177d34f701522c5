package main

import (
	"encoding/json"
	"strings"

	"sighub/carrier"
)

// A negative number as an argument looks like a flag to the parser of the command line. No flag of ours is a digit,
// so negativeMark, which no argument can contain, is put in front of such numbers until they are read.
const negativeMark = "\x00"

func markNegatives(args []string) []string {
	marked := make([]string, 0, len(args))
	for _, arg := range args {
		if len(arg) > 1 && arg[0] == '-' && '0' <= arg[1] && arg[1] <= '9' {
			if n := len(marked); n > 0 && isFlag(marked[n-1]) {
				if marked[n-1][1] == '-' {
					marked[n-1] += "="
				}
				marked[n-1] += arg // the value of a flag
				continue
			}
			arg = negativeMark + arg
		}
		marked = append(marked, arg)
	}
	return marked
}

// isFlag tells whether an argument is a flag without its value, as in --count or -n.
func isFlag(arg string) bool {
	if !strings.HasPrefix(arg, "-") || strings.Contains(arg, "=") || arg == "--" {
		return false
	}
	return len(arg) == 2 || strings.HasPrefix(arg, "--")
}

// dataOf reads an argument: JSON if it is JSON, a string if it is not.
func dataOf(text string) carrier.Value {
	text = strings.TrimPrefix(text, negativeMark)
	if json.Valid([]byte(text)) {
		return carrier.RawValue(carrier.JSON, []byte(text))
	}
	return carrier.ValueOf(text)
}
