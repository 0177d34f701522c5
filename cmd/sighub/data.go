package main

import (
	"encoding/json"
	"strings"

	"sighub/carrier"
)

// negativeMark is put before arguments that are negative numbers, until they are read: the parser of the command line would
// take them for flags. No argument can contain it, and no flag is a digit.
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

// isFlag reports whether an argument is a flag without a value, such as --count or -n.
func isFlag(arg string) bool {
	if !strings.HasPrefix(arg, "-") || strings.Contains(arg, "=") || arg == "--" {
		return false
	}
	return len(arg) == 2 || strings.HasPrefix(arg, "--")
}

// dataOf returns the value of an argument: JSON, or else a string.
func dataOf(text string) carrier.Value {
	text = strings.TrimPrefix(text, negativeMark)
	if json.Valid([]byte(text)) {
		return carrier.RawValue(carrier.JSON, []byte(text))
	}
	return carrier.ValueOf(text)
}
