//go:build !linux

package port

func permit(string) string { return "give yourself the right to read and write it" }
