package cli

import (
	"fmt"
	"runtime/debug"
)

// VersionCmd prints what was built, from what.
type VersionCmd struct{}

// Run implements the command.
func (VersionCmd) Run(s *streams) error {
	_, err := fmt.Fprintln(s.out, "dictum", version())
	return err
}

// version is the module's version, or its commit in a build from a checkout.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "development " + s.Value[:min(12, len(s.Value))]
		}
	}
	return "development"
}
