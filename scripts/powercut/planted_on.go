//go:build linux && plantedfaults

package main

const faultsCanBePlanted = true
