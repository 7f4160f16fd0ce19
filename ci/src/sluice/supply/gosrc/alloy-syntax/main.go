// Command alloy-syntax reads an Alloy configuration from its input with Alloy's own parser, and writes what it says as
// JSON: blocks with their labels and bodies, attributes with their values. What only a running Alloy can evaluate, such
// as a component's export, is written as {"expression": "…"}. A configuration that is no Alloy is told with its place.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/grafana/alloy/syntax/ast"
	"github.com/grafana/alloy/syntax/parser"
	"github.com/grafana/alloy/syntax/printer"
	"github.com/grafana/alloy/syntax/vm"
)

// statement is a block or an attribute, in the order of the file.
type statement struct {
	Block string      `json:"block,omitempty"`
	Label string      `json:"label,omitempty"`
	Body  []statement `json:"body,omitempty"`
	Name  string      `json:"name,omitempty"`
	Value any         `json:"value,omitempty"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	file, err := parser.ParseFile("config.alloy", text)
	if err != nil {
		return err
	}
	told, err := statements(file.Body)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(told)
}

func statements(body ast.Body) ([]statement, error) {
	found := []statement{}
	for _, each := range body {
		switch node := each.(type) {
		case *ast.BlockStmt:
			inner, err := statements(node.Body)
			if err != nil {
				return nil, err
			}
			found = append(found, statement{Block: strings.Join(node.Name, "."), Label: node.Label, Body: inner})
		case *ast.AttributeStmt:
			value, err := valueOf(node.Value)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", node.Name.Name, err)
			}
			found = append(found, statement{Name: node.Name.Name, Value: value})
		}
	}
	return found, nil
}

// valueOf gives the value of an expression that needs nobody's exports, and the text of any other.
func valueOf(expression ast.Expr) (any, error) {
	var value any
	if err := vm.New(expression).Evaluate(nil, &value); err == nil {
		return value, nil
	}
	var text strings.Builder
	if err := printer.Fprint(&text, expression); err != nil {
		return nil, err
	}
	return map[string]string{"expression": text.String()}, nil
}
