package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// stateFolder makes the folder of this name for what is remembered from one run to the next, and returns it: below the
// folder that the user has chosen, else below systemd's for this service, else below the user's cache. A hub without
// one works as well, it just has to ask its devices again; then the folder is empty.
func stateFolder(chosen, name string, log *slog.Logger) string {
	dir, level := chosen, slog.LevelWarn // whoever chose it wants to know
	var err error
	if dir == "" {
		level = slog.LevelInfo
		dir, err = usualState()
	}
	if err == nil {
		dir = filepath.Join(dir, name)
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		log.Log(context.Background(), level,
			"nothing is remembered from one run to the next: choose another folder with --state", "error", err)
		return ""
	}
	log.Debug("remembering from one run to the next", "folder", dir)
	return dir
}

// usualState returns where a program of this system keeps such things.
func usualState() (string, error) {
	// systemd separates several folders, the first of which is as good as any.
	if dir, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":"); dir != "" {
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder for this user: %w", err)
	}
	return filepath.Join(dir, "sighub"), nil
}
