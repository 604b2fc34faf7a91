package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
)

// configFile resolves flags from a YAML file. Flags of all commands are at the top, those of a
// command under its name:
//
//	log: debug
//	serve:
//	  data: /srv/dictum
//	  jobs: 8
type configFile struct{ values map[string]any }

var _ kong.Resolver = configFile{}

// loadConfig is the kong.ConfigurationLoader of configFile.
func loadConfig(r io.Reader) (kong.Resolver, error) {
	var values map[string]any
	if err := yaml.NewDecoder(r).Decode(&values); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read configuration file: %w", err)
	}
	return configFile{values}, nil
}

// Validate implements kong.Resolver: a key that sets nothing is a mistake to be told of.
func (c configFile) Validate(app *kong.Application) error {
	return known(app.Node, c.values)
}

func known(node *kong.Node, values map[string]any) error {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if slices.ContainsFunc(node.Flags, func(f *kong.Flag) bool { return f.Name == key }) {
			continue
		}
		child := slices.IndexFunc(node.Children, func(n *kong.Node) bool { return n.Name == key })
		section, isMap := values[key].(map[string]any)
		if child < 0 || !isMap {
			return fmt.Errorf("configuration file: %q sets nothing in %s; its keys are its flags' names", key, node.FullPath())
		}
		if err := known(node.Children[child], section); err != nil {
			return err
		}
	}
	return nil
}

// Resolve implements kong.Resolver. A nil value leaves the flag's default.
func (c configFile) Resolve(_ *kong.Context, parent *kong.Path, flag *kong.Flag) (any, error) {
	values := c.values
	if command := parent.Node(); command != nil && command.Type == kong.CommandNode {
		for _, name := range path(command) {
			values, _ = values[name].(map[string]any)
		}
	}
	return values[flag.Name], nil
}

// path is the names of a command and of those that it is under, outermost first.
func path(node *kong.Node) []string {
	if node == nil || node.Type != kong.CommandNode {
		return nil
	}
	return append(path(node.Parent), node.Name)
}
