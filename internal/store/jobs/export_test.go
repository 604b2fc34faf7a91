package jobs

import "io/fs"

// Migrations are the steps of the tables' history, so that a test can begin in the past.
func Migrations() fs.FS { return migrations }
