// Package peer tells whom a request comes from: the address behind the proxies that the operator trusts,
// whether an address is in a list of networks, and whose certificate the client has shown. It decides nothing. Start at
// Source and Networks.
package peer

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// Networks is a set of address ranges. An IPv4 address and its IPv4-mapped IPv6 form (RFC 4291 §2.5.5.2) are the same.
type Networks []netip.Prefix

// ParseNetworks reads ranges in CIDR notation; a single address stands for itself.
func ParseNetworks(texts []string) (Networks, error) {
	var n Networks
	for _, text := range texts {
		text = strings.TrimSpace(text)
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			a, aerr := netip.ParseAddr(text)
			if aerr != nil || a.Zone() != "" {
				return nil, fmt.Errorf("%q is no network such as 10.0.0.0/8 or 2001:db8::/32, and no address", text)
			}
			prefix = netip.PrefixFrom(a, a.BitLen())
		}
		// With fewer than 96 bits a mapped prefix also holds addresses that are not IPv4.
		if a := prefix.Addr(); a.Is4In6() && prefix.Bits() >= 96 {
			prefix = netip.PrefixFrom(a.Unmap(), prefix.Bits()-96)
		}
		n = append(n, prefix.Masked())
	}
	return n, nil
}

// Contain tells whether one of the ranges holds an address, whatever its zone.
func (n Networks) Contain(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, prefix := range n {
		if prefix.Contains(a) {
			return true
		}
	}
	return false
}

// Source returns what tells the address that a request came from, as aws:SourceIp has it: see Origin.
func Source(trusted Networks) func(*http.Request) string {
	return func(r *http.Request) string {
		return Origin(r.RemoteAddr, r.Header.Values("X-Forwarded-For"), trusted)
	}
}

// Origin is the address a request came from. That is the TCP peer's, remote (host:port); and only where that is a
// trusted proxy's, the last address in the X-Forwarded-For headers that is not: each proxy appends the peer that it
// saw, so whatever stands left of the first untrusted address, from the right, is that one's own word. An entry that is
// no address ends the search at the proxy that wrote it. IPv4-mapped addresses are given as IPv4, and without zones.
// A remote that is no address is returned as it is.
func Origin(remote string, forwarded []string, trusted Networks) string {
	at, ok := address(remote)
	if !ok {
		return remote
	}
	for i := len(forwarded) - 1; i >= 0; i-- {
		rest := forwarded[i]
		for more := true; more; {
			if !trusted.Contain(at) {
				return at.String()
			}
			var entry string
			rest, entry, more = cutLast(rest)
			next, ok := address(entry)
			if !ok {
				return at.String()
			}
			at = next
		}
	}
	return at.String()
}

// cutLast cuts the last entry off a list; more tells that others are left of it.
func cutLast(list string) (rest, last string, more bool) {
	if i := strings.LastIndexByte(list, ','); i >= 0 {
		return list[:i], list[i+1:], true
	}
	return "", list, false
}

// address reads an address with or without a port, as proxies write them.
func address(text string) (netip.Addr, bool) {
	text = strings.Trim(text, " \t")
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	if len(text) > 2 && text[0] == '[' && text[len(text)-1] == ']' {
		text = text[1 : len(text)-1]
	}
	a, err := netip.ParseAddr(text)
	return a.Unmap().WithZone(""), err == nil
}

// ClientSubject is the subject of the certificate that the client has shown and the listener has verified, as an RFC
// 2253 name; empty without one.
func ClientSubject(r *http.Request) string {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return ""
	}
	return r.TLS.VerifiedChains[0][0].Subject.String()
}
