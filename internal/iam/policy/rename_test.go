package policy_test

import (
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/iam/policy"
)

func TestRenamePrincipals(t *testing.T) {
	const alice = "arn:aws:iam::111122223333:user/alice"
	rename := func(name string) string {
		if name == alice {
			return "AIDA1"
		}
		return name
	}
	tests := []struct{ name, in, out string }{
		{"one", `{"Statement":{"Principal":{"AWS":"` + alice + `"}}}`, `{"Statement":{"Principal":{"AWS":"AIDA1"}}}`},
		{
			"in a list, white space kept", `{ "Statement": [ {"NotPrincipal" : {"AWS" : [ "x", "` + alice + `" , "y"] } } ] }`,
			`{ "Statement": [ {"NotPrincipal" : {"AWS" : [ "x", "AIDA1" , "y"] } } ] }`,
		},
		{"written with escapes", `{"Statement":[{"Principal":{"AWS":"` + strings.Replace(alice, "/", `\/`, 1) + `"}}]}`, `{"Statement":[{"Principal":{"AWS":"AIDA1"}}]}`},
		{"everybody", `{"Statement":[{"Principal":"*"}]}`, `{"Statement":[{"Principal":"*"}]}`},
		{
			"not in resources, conditions, ids or other types",
			`{"Id":"` + alice + `","Statement":[{"Resource":"` + alice + `","Principal":{"Service":"` + alice + `"},"Condition":{"ArnEquals":{"aws:PrincipalArn":"` + alice + `","Principal":{"AWS":"` + alice + `"}}}}]}`,
			`{"Id":"` + alice + `","Statement":[{"Resource":"` + alice + `","Principal":{"Service":"` + alice + `"},"Condition":{"ArnEquals":{"aws:PrincipalArn":"` + alice + `","Principal":{"AWS":"` + alice + `"}}}}]}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := policy.RenamePrincipals(tt.in, rename)
			if err != nil || got != tt.out {
				t.Errorf("got  %s, %v\nwant %s", got, err, tt.out)
			}
		})
	}
	for _, bad := range []string{"", "{", `{"Statement":[`} {
		if _, err := policy.RenamePrincipals(bad, rename); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// FuzzRenamePrincipals shows that renaming nobody changes nothing, and that renaming twice is renaming once.
func FuzzRenamePrincipals(f *testing.F) {
	f.Add(`{"Statement":{"Principal":{"AWS":["a","b"]}}}`)
	f.Add(`{"Statement":[{"NotPrincipal":{"AWS":"\u0061"}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		same, err := policy.RenamePrincipals(text, func(n string) string { return n })
		if err != nil {
			return
		}
		if same != text {
			t.Fatalf("%q became %q", text, same)
		}
		name := func(n string) string {
			if n == "a" {
				return "b"
			}
			return n
		}
		once, err := policy.RenamePrincipals(text, name)
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := policy.RenamePrincipals(once, name); err != nil || twice != once {
			t.Fatalf("%q, then %q, %v", once, twice, err)
		}
	})
}
