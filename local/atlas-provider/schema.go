package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// schemas.json is made from the TypeScript bindings by schemas.ts; replaces.json is written by hand, since the bindings do not say it.

//go:embed schemas.json
var schemasJSON []byte

//go:embed replaces.json
var replacesJSON []byte

// attribute is one attribute of a resource or block.
type attribute struct {
	// Type in the notation of Terraform's type constraints; none for nested attributes.
	Type     json.RawMessage `json:"type"`
	Required bool            `json:"required"`
	Optional bool            `json:"optional"`
	Computed bool            `json:"computed"`
	// Nested: single, list or set of objects, which only answers hold.
	Nesting    string                `json:"nesting"`
	Attributes map[string]*attribute `json:"attributes"`

	tfType tftypes.Type
}

// block is a resource's body, or a block in it.
type block struct {
	Nesting    string                `json:"nesting"`
	MaxItems   int64                 `json:"maxItems"`
	Attributes map[string]*attribute `json:"attributes"`
	Blocks     map[string]*block     `json:"blocks"`
}

type resource struct {
	block
	// replaces names the attributes whose change makes a new object.
	replaces []string
}

func loadResources() (map[string]*resource, error) {
	var document struct {
		Resources map[string]*resource `json:"resources"`
	}
	if err := json.Unmarshal(schemasJSON, &document); err != nil {
		return nil, fmt.Errorf("schemas.json: %w", err)
	}
	var replaces map[string][]string
	if err := json.Unmarshal(replacesJSON, &replaces); err != nil {
		return nil, fmt.Errorf("replaces.json: %w", err)
	}
	for name, each := range document.Resources {
		if err := each.resolve(name); err != nil {
			return nil, err
		}
		for _, attribute := range replaces[name] {
			if each.Attributes[attribute] == nil {
				return nil, fmt.Errorf("replaces.json: %s has no attribute %s", name, attribute)
			}
		}
		each.replaces = replaces[name]
	}
	return document.Resources, nil
}

func (b *block) resolve(path string) error {
	for name, each := range b.Attributes {
		if err := each.resolve(path + "." + name); err != nil {
			return err
		}
	}
	for name, each := range b.Blocks {
		if err := each.resolve(path + "." + name); err != nil {
			return err
		}
	}
	return nil
}

func (a *attribute) resolve(path string) error {
	if a.Nesting == "" {
		parsed, err := tftypes.ParseJSONType(a.Type) //nolint:staticcheck // The notation of Terraform's own schemas.
		if err != nil {
			return fmt.Errorf("%s: type %s: %w", path, a.Type, err)
		}
		a.tfType = parsed
		return nil
	}
	object := tftypes.Object{AttributeTypes: map[string]tftypes.Type{}}
	for name, each := range a.Attributes {
		if err := each.resolve(path + "." + name); err != nil {
			return err
		}
		object.AttributeTypes[name] = each.tfType
	}
	a.tfType = nested(a.Nesting, object)
	return nil
}

func nested(nesting string, object tftypes.Object) tftypes.Type {
	switch nesting {
	case "list":
		return tftypes.List{ElementType: object}
	case "set":
		return tftypes.Set{ElementType: object}
	default:
		return object
	}
}

// object is the type of the block's values, without its nesting.
func (b *block) object() tftypes.Object {
	types := map[string]tftypes.Type{}
	for name, each := range b.Attributes {
		types[name] = each.tfType
	}
	for name, each := range b.Blocks {
		types[name] = nested(each.Nesting, each.object())
	}
	return tftypes.Object{AttributeTypes: types}
}

func (b *block) schema() *tfprotov6.SchemaBlock {
	result := &tfprotov6.SchemaBlock{}
	for _, name := range sortedKeys(b.Attributes) {
		result.Attributes = append(result.Attributes, b.Attributes[name].schema(name))
	}
	for _, name := range sortedKeys(b.Blocks) {
		each := b.Blocks[name]
		result.BlockTypes = append(result.BlockTypes, &tfprotov6.SchemaNestedBlock{
			TypeName: name,
			Block:    each.schema(),
			Nesting: map[string]tfprotov6.SchemaNestedBlockNestingMode{
				"single": tfprotov6.SchemaNestedBlockNestingModeSingle,
				"list":   tfprotov6.SchemaNestedBlockNestingModeList,
				"set":    tfprotov6.SchemaNestedBlockNestingModeSet,
			}[each.Nesting],
			MaxItems: each.MaxItems,
		})
	}
	return result
}

func (a *attribute) schema(name string) *tfprotov6.SchemaAttribute {
	result := &tfprotov6.SchemaAttribute{Name: name, Required: a.Required, Optional: a.Optional, Computed: a.Computed}
	if a.Nesting == "" {
		result.Type = a.tfType
		return result
	}
	result.NestedType = &tfprotov6.SchemaObject{Nesting: map[string]tfprotov6.SchemaObjectNestingMode{
		"single": tfprotov6.SchemaObjectNestingModeSingle,
		"list":   tfprotov6.SchemaObjectNestingModeList,
		"set":    tfprotov6.SchemaObjectNestingModeSet,
	}[a.Nesting]}
	for _, each := range sortedKeys(a.Attributes) {
		result.NestedType.Attributes = append(result.NestedType.Attributes, a.Attributes[each].schema(each))
	}
	return result
}

func sortedKeys[V any](values map[string]V) []string {
	keys := make([]string, 0, len(values))
	for key := range values {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
