package main

import (
	"strings"
	"testing"
)

func TestWhatAConfigurationSays(t *testing.T) {
	var out strings.Builder
	text := `a.b "c" {
  list = ["x", "\\d"]
  map  = { "k" = "v<" }
  n    = 3
  from = other.part.output
  inner { }
}`
	if err := run(strings.NewReader(text), &out); err != nil {
		t.Fatal(err)
	}
	expected := `[{"block":"a.b","label":"c","body":[{"name":"list","value":["x","\\d"]},{"name":"map","value":{"k":"v<"}},` +
		`{"name":"n","value":3},{"name":"from","value":{"expression":"other.part.output"}},{"block":"inner"}]}]` + "\n"
	if out.String() != expected {
		t.Errorf("got %s, expected %s", out.String(), expected)
	}
}

func TestWhatIsNoConfigurationIsToldWithItsPlace(t *testing.T) {
	var out strings.Builder
	err := run(strings.NewReader("a.b \"c\" {\n  list = [\n"), &out)
	if err == nil || !strings.Contains(err.Error(), "config.alloy:3") {
		t.Errorf("got %v", err)
	}
}
