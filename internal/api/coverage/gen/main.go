// Command gen writes docs/api-coverage.md from what the services' tests recorded.
package main

import (
	"flag"
	"log"
	"os"

	"github.com/dictum/dictum/internal/api/coverage"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("gen: ")
	api := flag.String("api", "..", "folder of internal/api")
	out := flag.String("out", "api-coverage.md", "file to write")
	flag.Parse()
	services, err := coverage.Load(*api)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(*out, coverage.Markdown(services), 0o644); err != nil {
		log.Fatal(err)
	}
}
