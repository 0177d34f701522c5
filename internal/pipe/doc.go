// Package pipe sends the lines of an input as events: many at a time, or each exactly once, however often the input is given again.
package pipe
