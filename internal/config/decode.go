package config

import (
	"sighub/internal/yamlfile"
	"sighub/sensors/modbus/profile"
)

// An Error is one mistake in a file.
type Error = yamlfile.Error

// Parse reads a configuration; errors name it file. The error joins an [*Error] for each mistake, in the order of the lines.
func Parse(file string, data []byte) (*Config, error) {
	d := newDecoder(file)
	c := defaults()
	if root := d.Parse(data); root != nil {
		d.config(root, c)
		d.checkWatched(&c.Sensing)
	}
	if err := d.Faults(); err != nil {
		return nil, err
	}
	c.complete()
	c.file, c.lines, c.warnings = file, d.seen, d.Warnings()
	return c, nil
}

// A decoder decodes what a configuration has, beyond what every file of YAML has.
type decoder struct {
	*yamlfile.Decoder
	library profile.Library
	seen    map[string]int // by name: the line of what may appear only once
	watched []watch
}

func newDecoder(file string) *decoder {
	return &decoder{Decoder: yamlfile.New(file), library: libraryFor(file), seen: make(map[string]int)}
}
