package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// stateFolder makes the folder of this name for what the hub remembers between runs, and returns it. It is inside the folder
// that the user has chosen, else the one that systemd gives this service, else the user's cache. If that fails, it returns "":
// a hub without such a folder works, but must ask its devices again.
func stateFolder(chosen, name string, log *slog.Logger) string {
	dir, level := chosen, slog.LevelWarn // the user has chosen it and should know
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
			"the hub will remember nothing after this run: choose another folder with --state", "error", err)
		return ""
	}
	log.Debug("the folder for what is remembered between runs", "folder", dir)
	return dir
}

// usualState returns where programs usually keep state on this system.
func usualState() (string, error) {
	// systemd may give several folders, separated by colons. Any will do.
	if dir, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":"); dir != "" {
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache folder for this user: %w", err)
	}
	return filepath.Join(dir, "sighub"), nil
}
