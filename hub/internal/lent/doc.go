// Package lent spoils data that callbacks were lent, so that one that keeps it in spite of its promise is noticed: see KeepsNothing of
// hub.ListenerOptions.
package lent
