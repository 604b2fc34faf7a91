package policy

import (
	"net/netip"
	"strings"
)

// Public tells whether a bucket policy is public as S3's Block Public Access has it
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html): unless every
// statement that allows is for fixed principals, or is narrowed by a condition to fixed values, without wildcard or variable,
// of an account, organisation, principal, source or network.
func (d *Document) Public() bool {
	for i := range d.statements {
		if s := &d.statements[i]; s.effect == Allow && s.public() {
			return true
		}
	}
	return false
}

func (s *statement) public() bool {
	if s.principals == nil || !s.principals.everyone && !s.notPrincipal {
		return false
	}
	for i := range s.conditions {
		if s.conditions[i].narrows() {
			return false
		}
	}
	return true
}

// narrowing are the keys that can make a policy non-public by fixed values.
var narrowing = map[string]bool{
	"aws:principalarn": true, "aws:principalaccount": true, "aws:principalorgid": true, "aws:principalorgpaths": true,
	"aws:sourcearn": true, "aws:sourcevpc": true, "aws:sourcevpce": true, "aws:sourceowner": true, "aws:sourceaccount": true,
	"aws:sourceorgid": true, "aws:userid": true, "s3:dataaccesspointarn": true, "s3:dataaccesspointaccount": true,
	"s3:x-amz-server-side-encryption-aws-kms-key-id": true,
}

// narrows tells whether only requests with some fixed value satisfy the condition.
func (c *condition) narrows() bool {
	if c.negated || c.ifExists || c.set == forAllValues || len(c.values) == 0 {
		return false
	}
	switch {
	case c.family == ipFamily && c.key == "aws:sourceip":
		for i := range c.values {
			if broad(c.values[i].network) {
				return false
			}
		}
		return true
	case (c.family == stringFamily || c.family == arnFamily) && narrowing[c.key]:
		for i := range c.values {
			p := &c.values[i].pattern
			if p.fixed() {
				continue
			}
			// Any access point of one account is fixed enough.
			if f := strings.SplitN(p.text, ":", 6); c.key == "s3:dataaccesspointarn" && len(f) == 6 && digits(f[4]) {
				continue
			}
			return false
		}
		return true
	}
	return false
}

// broad tells networks that AWS takes for the whole world: wider than /8 in IPv4 and /32 in IPv6.
func broad(n netip.Prefix) bool {
	if n.Addr().Is4() {
		return n.Bits() < 8
	}
	return n.Bits() < 32
}
