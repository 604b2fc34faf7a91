// Command dictum is self-hosted speech-to-text that speaks Amazon Transcribe.
package main

import (
	"os"

	"github.com/dictum/dictum/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:])) }
