// Package ner finds named entities in text with Rampart, a small BERT of 17 kinds of personal information
// (models.RampartPII). It is a pii.Tagger: good at names, addresses and e-mail addresses however they are written,
// and no judge of numbers, which the rules of package pii own. Start reading at Model.
//
// The model knows no case: its tokenizer puts all text in lower case, so that a turn without capitals loses nothing but
// what its punctuation would tell, and restoring capitals would change nothing. It was trained on English and some
// Spanish.
package ner
