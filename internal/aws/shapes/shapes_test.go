package shapes_test

import (
	"strings"
	"testing"

	"github.com/dictum/dictum/internal/aws/shapes"
)

const service = `{"source": "test", "operations": {"Make": "MakeInput", "Stop": ""}, "shapes": {
	"MakeInput": {"type": "structure", "required": ["Name"], "members": [
		{"name": "Name", "shape": "Name"}, {"name": "Count", "shape": "Count"}, {"name": "Kind", "shape": "Kind"},
		{"name": "Tags", "shape": "Tags"}, {"name": "Path", "shape": "Path"}, {"name": "Alias", "shape": "Alias"}, {"name": "Long", "shape": "Long"}]},
	"Name": {"type": "string", "pattern": "[\\w+=,.@-]+", "min": 1, "max": 8},
	"Count": {"type": "integer", "min": 1, "max": 1000},
	"Kind": {"type": "string", "enum": ["A", "B"]},
	"Path": {"type": "string", "pattern": "(\\u002F)|(\\u002F[\\u0021-\\u007E]+\\u002F)"},
	"Alias": {"type": "string", "pattern": "^[a-z0-9](([a-z0-9]|-(?!-))*[a-z0-9])?$"},
	"Long": {"type": "string", "pattern": "[a-z]{1,2048}"},
	"Tags": {"type": "list", "member": "Tag", "max": 2},
	"Tag": {"type": "structure", "required": ["Key"], "members": [{"name": "Key", "shape": "Name"}]}}}`

func TestViolations(t *testing.T) {
	m, err := shapes.Load([]byte(service))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(m.Operations(), " "); got != "Make Stop" || m.Source != "test" {
		t.Errorf("operations %q, source %q", got, m.Source)
	}
	tests := []struct {
		name   string
		params map[string]any
		want   string
	}{
		{name: "nothing wrong", params: map[string]any{"Name": "a", "Count": "1000", "Kind": "A", "Path": "/a/", "Alias": "a-b", "Unknown": "x"}},
		{name: "required", params: map[string]any{}, want: "1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null"},
		{name: "pattern", params: map[string]any{"Name": "a b"}, want: `1 validation error detected: Value 'a b' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]+`},
		{name: "two of one value", params: map[string]any{"Name": "a b c d e"}, want: "2 validation errors detected: Value 'a b c d e' at 'name' failed to satisfy constraint: Member must have length less than or equal to 8; Value 'a b c d e' at 'name'"},
		{name: "a number as text", params: map[string]any{"Name": "a", "Count": "0"}, want: "Value '0' at 'count' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		{name: "enum", params: map[string]any{"Name": "a", "Kind": "C"}, want: "Member must satisfy enum value set: [A, B]"},
		{name: "Java's escapes", params: map[string]any{"Name": "a", "Path": "a"}, want: "at 'path'"},
		{name: "a long repeat", params: map[string]any{"Name": "a", "Long": strings.Repeat("a", 2049)}, want: "at 'long'"},
		{name: "list length", params: map[string]any{"Name": "a", "Tags": []any{map[string]any{"Key": "a"}, map[string]any{"Key": "b"}, map[string]any{"Key": "c"}}}, want: "at 'tags' failed to satisfy constraint: Member must have length less than or equal to 2"},
		{name: "in a list", params: map[string]any{"Name": "a", "Tags": []any{map[string]any{"Key": "a"}, map[string]any{}}}, want: "Value null at 'tags.2.member.key' failed to satisfy constraint: Member must not be null"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if v := m.Violations("Make", tt.params); len(v) > 0 {
				got = shapes.Message(v)
			}
			if !strings.Contains(got, tt.want) || (tt.want == "") != (got == "") {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	if v := m.Violations("Stop", nil); len(v) != 0 {
		t.Errorf("an operation without input: %v", v)
	}
	for _, bad := range []string{"", "{", `{"shapes": {"X": {"type": "string", "pattern": "("}}}`} {
		if _, err := shapes.Load([]byte(bad)); err == nil {
			t.Errorf("%q was loaded", bad)
		}
	}
}
