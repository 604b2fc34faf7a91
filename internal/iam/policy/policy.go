// Package policy reads and evaluates AWS's JSON policies, and knows nothing of where they are kept or who
// asks. Start at Parse and Evaluate.
//
// Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html and
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html.
package policy

// Document is a parsed policy. It is never changed and safe for concurrent use.
type Document struct {
	text string
}

// Text is the policy as it was written.
func (d *Document) Text() string { return d.text }
