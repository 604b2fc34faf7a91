package policy

// MatchPattern exposes pattern matching: of a string, of an action, of a Resource element.
func MatchPattern(p, s string, fold, arn bool) bool {
	c, err := compile(p, false, true)
	if err != nil {
		return false
	}
	if arn {
		return matchARN(c.text, s)
	}
	return glob(c.text, s, fold)
}
