// Package cli is the command line: one file a subcommand, each a struct that kong fills
// from flags, environment (DICTUM_*) and an optional YAML file, with a Run method. It
// parses and prints; the work is done by the packages it calls. Start at Main.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// The exit codes of every subcommand.
const (
	exitOK = 0
	// exitFailed: the command ran and something in it failed (a file, a check).
	exitFailed = 1
	// exitUsage: the command line is wrong.
	exitUsage = 2
	// exitSetup: something that must be installed first is missing (models, runtime).
	exitSetup = 3
	// exitInterrupted: stopped by SIGINT or SIGTERM before the end.
	exitInterrupted = 130
)

// commands is the whole command line.
type commands struct {
	Config  kong.ConfigFlag `help:"YAML file with the same keys as the flags." placeholder:"FILE" type:"existingfile" env:"DICTUM_CONFIG"`
	Log     string          `help:"Least severe log level written to stderr." enum:"debug,info,warn,error" default:"info"`
	LogJSON bool            `name:"log-json" help:"Write logs as JSON lines."`

	Serve      ServeCmd      `cmd:"" help:"Run the service: the API, the console and operations."`
	Transcribe TranscribeCmd `cmd:"" help:"Transcribe files, without a server."`
	Listen     ListenCmd     `cmd:"" help:"Recognise audio while it comes: a file, or a pipe from arecord or ffmpeg."`
	Redact     RedactCmd     `cmd:"" help:"Take personal information out of lines of text."`
	Models     ModelsCmd     `cmd:"" help:"List, fetch and verify the models."`
	Env        EnvCmd        `cmd:"" help:"Print the exports that AWS tools need to use the service."`
	Admin      AdminCmd      `cmd:"" help:"Look after a server's data folder."`
	TLS        TLSCmd        `cmd:"" name:"tls" help:"Make certificates."`
	Version    VersionCmd    `cmd:"" help:"Print the version."`
	Engine     EngineCmd     `cmd:"" hidden:"" help:"Run the speech engine for dictum serve."`
}

// Main runs the command line and returns the process's exit code.
func Main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return Run(ctx, args, os.Stdout, os.Stderr)
}

// Run is Main with a context and streams of the caller's.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c commands
	exited := -1
	parser, err := kong.New(&c,
		kong.Name("dictum"),
		kong.Description("Self-hosted speech-to-text that speaks Amazon Transcribe."),
		kong.UsageOnError(),
		kong.DefaultEnvars("DICTUM"),
		kong.Configuration(loadConfig),
		kong.Vars{"data": defaultDataDir()},
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(&streams{out: stdout, err: stderr}),
	)
	if err != nil {
		fmt.Fprintln(stderr, "dictum:", err)
		return exitUsage
	}
	kctx, err := parser.Parse(args)
	if exited >= 0 { // --help
		return exited
	}
	if err != nil {
		fmt.Fprintf(stderr, "dictum: %v\nTry: dictum --help\n", err)
		return exitUsage
	}
	slog.SetDefault(logger(stderr, c.Log, c.LogJSON))
	err = kctx.Run()
	return exitCode(ctx, err, stderr)
}

// streams are where commands print.
type streams struct{ out, err io.Writer }

// exitError is an error whose exit code is not exitFailed. The message may be empty when
// all has been said.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func exitCode(ctx context.Context, err error, stderr io.Writer) int {
	if err == nil {
		return exitOK
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintln(stderr, "dictum: interrupted")
		return exitInterrupted
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(stderr, "dictum:", text)
	}
	var exit *exitError
	if errors.As(err, &exit) {
		return exit.code
	}
	return exitFailed
}

func logger(w io.Writer, level string, json bool) *slog.Logger {
	var l slog.Level
	_ = l.UnmarshalText([]byte(strings.ToUpper(level))) // kong admits only known names
	options := &slog.HandlerOptions{Level: l}
	if json {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// defaultDataDir is $XDG_DATA_HOME/dictum or ~/.local/share/dictum.
func defaultDataDir() string {
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "dictum")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "dictum-data"
	}
	return filepath.Join(home, ".local", "share", "dictum")
}
