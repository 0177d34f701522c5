//go:build linux

package main

import "context"

func measureYear(ctx context.Context, b *bench, t *table) error { return nil }
