package peer_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/peer"
)

func networks(t testing.TB, texts ...string) peer.Networks {
	t.Helper()
	n, err := peer.ParseNetworks(texts)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNetworks(t *testing.T) {
	for _, c := range []struct {
		name, network, address string
		want                   bool
	}{
		{"IPv4 inside", "10.0.0.0/8", "10.255.255.255", true},
		{"IPv4 outside", "10.0.0.0/8", "11.0.0.0", false},
		{"IPv4 with bits below the mask", "10.1.2.3/8", "10.9.9.9", true},
		{"a single IPv4 address", "192.0.2.7", "192.0.2.7", true},
		{"its neighbour", "192.0.2.7", "192.0.2.8", false},
		{"IPv6 inside", "2001:db8::/32", "2001:db8:ffff::1", true},
		{"IPv6 outside", "2001:db8::/32", "2001:db9::1", false},
		{"a mapped address in an IPv4 network", "10.0.0.0/8", "::ffff:10.1.2.3", true},
		{"an IPv4 address in a mapped network", "::ffff:10.0.0.0/104", "10.1.2.3", true},
		{"an IPv4 address outside of a mapped network", "::ffff:10.0.0.0/104", "11.1.2.3", false},
		{"all IPv6 holds no IPv4", "::/0", "10.1.2.3", false},
		{"all IPv4 holds no IPv6", "0.0.0.0/0", "2001:db8::1", false},
		{"a zone does not matter", "fe80::/10", "fe80::1%eth0", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := networks(t, c.network).Contain(netip.MustParseAddr(c.address)); got != c.want {
				t.Errorf("%s in %s: %v, want %v", c.address, c.network, got, c.want)
			}
		})
	}
	t.Run("no network holds nothing", func(t *testing.T) {
		if peer.Networks(nil).Contain(netip.MustParseAddr("127.0.0.1")) {
			t.Error("the empty set holds an address")
		}
	})
}

func TestNetworksThatAreNone(t *testing.T) {
	for _, text := range []string{"", "10.0.0.0/33", "10.0.0/8", "example.com", "fe80::1%eth0", "fe80::%eth0/10", "10.0.0.1:80", "2001:db8::/129", "10.0.0.0/-1"} {
		if _, err := peer.ParseNetworks([]string{text}); err == nil {
			t.Errorf("%q is taken for a network", text)
		} else if !strings.Contains(err.Error(), `"`+text+`"`) {
			t.Errorf("the error does not name %q: %v", text, err)
		}
	}
}

func TestOrigin(t *testing.T) {
	trusted := networks(t, "10.0.0.0/8", "2001:db8:1::/48")
	for _, c := range []struct {
		name, remote string
		forwarded    []string
		want         string
	}{
		{"no proxy: the peer", "192.0.2.1:5000", nil, "192.0.2.1"},
		{"a header of a peer that is no proxy of ours is its own word", "192.0.2.1:5000", []string{"127.0.0.1"}, "192.0.2.1"},
		{"a proxy without a header", "10.0.0.1:5000", nil, "10.0.0.1"},
		{"one proxy", "10.0.0.1:5000", []string{"192.0.2.1"}, "192.0.2.1"},
		{"the client's own header before the proxy's", "10.0.0.1:5000", []string{"127.0.0.1, 192.0.2.1"}, "192.0.2.1"},
		{"the client's claim to be a proxy", "10.0.0.1:5000", []string{"198.51.100.9, 10.9.9.9, 192.0.2.1"}, "192.0.2.1"},
		{"two proxies", "10.0.0.1:5000", []string{"192.0.2.1, 10.0.0.2"}, "192.0.2.1"},
		{"two headers are one list", "10.0.0.1:5000", []string{"127.0.0.1, 192.0.2.1", "10.0.0.2"}, "192.0.2.1"},
		{"only proxies: the first of them", "10.0.0.1:5000", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"an entry with a port", "10.0.0.1:5000", []string{"192.0.2.1:4711"}, "192.0.2.1"},
		{"IPv6 in brackets", "10.0.0.1:5000", []string{"[2001:db8::7]"}, "2001:db8::7"},
		{"IPv6 in brackets with a port", "10.0.0.1:5000", []string{"[2001:db8::7]:443"}, "2001:db8::7"},
		{"IPv6 peer", "[2001:db8::7]:443", nil, "2001:db8::7"},
		{"IPv6 proxy", "[2001:db8:1::1]:443", []string{"2001:db8::7"}, "2001:db8::7"},
		{"a mapped peer is an IPv4 peer", "[::ffff:192.0.2.1]:5000", nil, "192.0.2.1"},
		{"a mapped proxy is trusted as IPv4", "[::ffff:10.0.0.1]:5000", []string{"::ffff:192.0.2.1"}, "192.0.2.1"},
		{"no zone", "[fe80::1%eth0]:5000", nil, "fe80::1"},
		{"an entry that is no address", "10.0.0.1:5000", []string{"192.0.2.1, unknown"}, "10.0.0.1"},
		{"an empty entry", "10.0.0.1:5000", []string{"192.0.2.1,"}, "10.0.0.1"},
		{"an empty header", "10.0.0.1:5000", []string{""}, "10.0.0.1"},
		{"an obfuscated entry left of a proxy", "10.0.0.1:5000", []string{"_hidden, 10.0.0.2"}, "10.0.0.2"},
		{"a peer that is no address", "@", nil, "@"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := peer.Origin(c.remote, c.forwarded, trusted); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = c.remote
			for _, h := range c.forwarded {
				r.Header.Add("x-forwarded-for", h)
			}
			if got := peer.Source(trusted)(r); got != c.want {
				t.Errorf("by its request: got %s, want %s", got, c.want)
			}
			if got := peer.Source(nil)(r); len(c.forwarded) > 0 && got != peer.Origin(c.remote, nil, nil) {
				t.Errorf("with no trusted proxy the header counts: %s", got)
			}
		})
	}
}

func FuzzOrigin(f *testing.F) {
	f.Add("10.0.0.1:5000", "192.0.2.1, 10.0.0.2")
	f.Add("[::ffff:10.0.0.1]:5000", "[2001:db8::7]:443,,")
	f.Add("192.0.2.1:1", "127.0.0.1")
	f.Add("10.0.0.1:1", "fe80::1%eth0, 10.1.1.1:80")
	trusted := networks(f, "10.0.0.0/8")
	f.Fuzz(func(t *testing.T, remote, forwarded string) {
		got := peer.Origin(remote, []string{forwarded}, trusted)
		direct := peer.Origin(remote, nil, nil)
		at, err := netip.ParseAddr(direct)
		if err != nil || !trusted.Contain(at) {
			if got != direct {
				t.Fatalf("a peer that is not trusted chose its address: %s", got)
			}
			return
		}
		a, err := netip.ParseAddr(got)
		if err != nil || a.Zone() != "" || a.Is4In6() {
			t.Fatalf("%q is not a plain address", got)
		}
		// What an attacker puts left of the entry found changes nothing once that is untrusted.
		if !trusted.Contain(a) {
			if again := peer.Origin(remote, []string{"203.0.113.9, " + forwarded}, trusted); again != got {
				t.Fatalf("a claim on the left changed %s to %s", got, again)
			}
		}
	})
}
