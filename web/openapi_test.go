package web

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// TestOpenAPI: the description is valid, and describes the routes that there are, with the parameters that they know.
func TestOpenAPI(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	var described, there []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			described = append(described, method+" "+path)
		}
	}
	for _, r := range routes {
		if strings.HasPrefix(r.path, api) {
			there = append(there, r.method+" "+r.path)
		}
	}
	slices.Sort(described)
	slices.Sort(there)
	if !slices.Equal(described, there) {
		t.Errorf("described are %q, there are %q", described, there)
	}

	h := newHouse(t, true, Options{})
	h.do("POST", "/api/v1/senders/kitchen/events/temperature", "21.5", 204, nil)
	names := regexp.MustCompile(`\{\w+\}`)
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if method != http.MethodGet || path == api+"/events" || path == api+"/socket" {
				continue
			}
			at := names.ReplaceAllStringFunc(path, func(name string) string {
				return map[string]string{"{sender}": "kitchen", "{event}": "temperature"}[name]
			})
			want := 200
			if path == api+"/senders/{sender}" {
				want = 404 // it has gone
			}
			var text string
			h.get(at, want, &text)
			checkAnswer(t, doc, op, method+" "+at, want, text)
			for _, p := range op.Parameters {
				if p.Value.In != "query" {
					continue
				}
				h.get(at+"?"+p.Value.Name+"=", 400, &text) // it is known, and must not be empty
				if !strings.Contains(text, p.Value.Name+" is empty") {
					t.Errorf("%s: %s is described and not known: %s", at, p.Value.Name, text)
				}
			}
		}
	}
}

// checkAnswer checks an answer by what is described.
func checkAnswer(t *testing.T, doc *openapi3.T, op *openapi3.Operation, what string, status int, text string) {
	t.Helper()
	response := op.Responses.Status(status)
	kind := "application/json"
	if response == nil {
		response, kind = op.Responses.Default(), "application/problem+json"
	}
	content := response.Value.Content.Get(kind)
	var value any
	if err := unmarshal([]byte(text), &value); err != nil || content == nil {
		t.Fatalf("%s: %v, %v", what, err, content)
	}
	if err := doc.ValidateSchemaJSON(content.Schema.Value, value); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}
