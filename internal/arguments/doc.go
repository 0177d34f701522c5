// Package arguments reads what people write on a command line and on standard input: data that is JSON, or nearly so, times, and
// patterns of senders and events.
package arguments
