// Package harness runs the built program for black-box tests and load tools: it builds
// bin/dictum once, starts and kills servers, reads what `dictum env` prints, and makes
// clients and recordings. It imports nothing of the product. Start at Start.
package harness
