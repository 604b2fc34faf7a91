package pii

// fromTagger takes over what the Tagger found that rules don't own.
func (c *conversation) fromTagger(t *turn) []Entity {
	var out []Entity
	for _, e := range t.tagged {
		if e.Start < 0 || e.End > len(t.text) || e.Start >= e.End || e.Score < minTagged {
			continue
		}
		switch e.Type {
		case Name, Address, Email, URL:
			out = append(out, e)
		}
	}
	return out
}
