// Package model is Amazon Transcribe's service model as data: which members each request
// has, which are required, and their lengths, patterns, enums and ranges. The tables and the
// wire types are generated from botocore's service-2.json, so that no constraint is written
// by hand. What the model cannot say (pairs, exclusions, what Dictum does not do yet) belongs
// to the packages of the resources. Start at Validate.
package model

//go:generate go run ./gen -shapes service.json -types types_gen.go
