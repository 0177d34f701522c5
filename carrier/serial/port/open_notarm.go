//go:build !linux && !windows

package port

import "errors"

func openTarm(string, int) (Port, error) {
	return nil, errors.New("port: the opener tarm works on Linux and Windows only: use native")
}
