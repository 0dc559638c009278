package main

import (
	"fmt"
	"math/big"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// toJSON gives a value as the stand-in of Atlas takes it: what is unknown or null is null.
func toJSON(value tftypes.Value) (any, error) {
	if value.IsNull() || !value.IsKnown() {
		return nil, nil
	}
	switch {
	case value.Type().Is(tftypes.String):
		var text string
		err := value.As(&text)
		return text, err
	case value.Type().Is(tftypes.Bool):
		var flag bool
		err := value.As(&flag)
		return flag, err
	case value.Type().Is(tftypes.Number):
		number := new(big.Float)
		if err := value.As(&number); err != nil {
			return nil, err
		}
		float, _ := number.Float64()
		return float, nil
	case value.Type().Is(tftypes.Object{}), value.Type().Is(tftypes.Map{}):
		parts, err := fields(value)
		if err != nil {
			return nil, err
		}
		result := map[string]any{}
		for name, part := range parts {
			if result[name], err = toJSON(part); err != nil {
				return nil, err
			}
		}
		return result, nil
	default:
		parts, err := elements(value)
		if err != nil {
			return nil, err
		}
		result := make([]any, len(parts))
		for index, part := range parts {
			if result[index], err = toJSON(part); err != nil {
				return nil, err
			}
		}
		return result, nil
	}
}

// fromJSON makes a value of that type from an answer; what the answer lacks is null.
func fromJSON(answer any, wanted tftypes.Type) (tftypes.Value, error) {
	if answer == nil {
		return tftypes.NewValue(wanted, nil), nil
	}
	switch wanted := wanted.(type) {
	case tftypes.Object:
		given, ok := answer.(map[string]any)
		if !ok {
			return tftypes.Value{}, fmt.Errorf("expected an object, got %T", answer)
		}
		parts := map[string]tftypes.Value{}
		for name, each := range wanted.AttributeTypes {
			part, err := fromJSON(given[name], each)
			if err != nil {
				return tftypes.Value{}, fmt.Errorf("%s: %w", name, err)
			}
			parts[name] = part
		}
		return tftypes.NewValue(wanted, parts), nil
	case tftypes.Map:
		given, ok := answer.(map[string]any)
		if !ok {
			return tftypes.Value{}, fmt.Errorf("expected a map, got %T", answer)
		}
		parts := map[string]tftypes.Value{}
		for name, each := range given {
			part, err := fromJSON(each, wanted.ElementType)
			if err != nil {
				return tftypes.Value{}, fmt.Errorf("%s: %w", name, err)
			}
			parts[name] = part
		}
		return tftypes.NewValue(wanted, parts), nil
	case tftypes.List:
		return sequence(answer, wanted, wanted.ElementType)
	case tftypes.Set:
		return sequence(answer, wanted, wanted.ElementType)
	}
	if number, ok := answer.(float64); ok && wanted.Is(tftypes.Number) {
		return tftypes.NewValue(wanted, big.NewFloat(number)), nil
	}
	if err := tftypes.ValidateValue(wanted, answer); err != nil {
		return tftypes.Value{}, err
	}
	return tftypes.NewValue(wanted, answer), nil
}

func sequence(answer any, wanted, element tftypes.Type) (tftypes.Value, error) {
	given, ok := answer.([]any)
	if !ok {
		return tftypes.Value{}, fmt.Errorf("expected a list, got %T", answer)
	}
	parts := make([]tftypes.Value, len(given))
	for index, each := range given {
		part, err := fromJSON(each, element)
		if err != nil {
			return tftypes.Value{}, fmt.Errorf("%d: %w", index, err)
		}
		parts[index] = part
	}
	return tftypes.NewValue(wanted, parts), nil
}

// blockFromJSON makes a whole block of an answer: blocks that the answer lacks are empty, not null.
func blockFromJSON(answer map[string]any, b *block) (tftypes.Value, error) {
	complete := map[string]any{}
	for name := range b.Attributes {
		complete[name] = answer[name]
	}
	for name, each := range b.Blocks {
		complete[name] = answer[name]
		if answer[name] == nil && each.Nesting != "single" {
			complete[name] = []any{}
		}
	}
	return fromJSON(complete, b.object())
}

// fill takes what was planned, and from the answer whatever was not known then.
func fill(planned tftypes.Value, answer any) (tftypes.Value, error) {
	if !planned.IsKnown() {
		return fromJSON(answer, planned.Type())
	}
	if planned.IsNull() {
		return planned, nil
	}
	switch {
	case planned.Type().Is(tftypes.Object{}):
		parts, err := fields(planned)
		if err != nil {
			return planned, err
		}
		given, _ := answer.(map[string]any)
		for name, part := range parts {
			if parts[name], err = fill(part, given[name]); err != nil {
				return planned, fmt.Errorf("%s: %w", name, err)
			}
		}
		return tftypes.NewValue(planned.Type(), parts), nil
	case planned.Type().Is(tftypes.List{}), planned.Type().Is(tftypes.Set{}):
		parts, err := elements(planned)
		if err != nil {
			return planned, err
		}
		given, _ := answer.([]any)
		for index, part := range parts {
			var each any
			if index < len(given) {
				each = given[index]
			}
			if parts[index], err = fill(part, each); err != nil {
				return planned, fmt.Errorf("%d: %w", index, err)
			}
		}
		return tftypes.NewValue(planned.Type(), parts), nil
	}
	return planned, nil
}

// awaitComputed marks as unknown what the configuration leaves out and Atlas decides, in objects and blocks that are new.
func awaitComputed(proposed, config, prior tftypes.Value, b *block) (tftypes.Value, error) {
	if proposed.IsNull() || !proposed.IsKnown() {
		return proposed, nil
	}
	parts, err := fields(proposed)
	if err != nil {
		return proposed, err
	}
	written, err := fields(config)
	if err != nil {
		return proposed, err
	}
	before, err := fields(prior)
	if err != nil {
		return proposed, err
	}
	for name, each := range b.Attributes {
		if len(before) == 0 && each.Computed && parts[name].IsNull() && isNull(written, name) {
			parts[name] = tftypes.NewValue(each.tfType, tftypes.UnknownValue)
		}
	}
	for name, each := range b.Blocks {
		if parts[name].IsNull() || !parts[name].IsKnown() {
			continue
		}
		if each.Nesting == "single" {
			parts[name], err = awaitComputed(parts[name], written[name], before[name], each)
		} else {
			parts[name], err = awaitInside(parts[name], written[name], before[name], each)
		}
		if err != nil {
			return proposed, fmt.Errorf("%s: %w", name, err)
		}
	}
	return tftypes.NewValue(proposed.Type(), parts), nil
}

func awaitInside(proposed, config, prior tftypes.Value, b *block) (tftypes.Value, error) {
	parts, err := elements(proposed)
	if err != nil {
		return proposed, err
	}
	written, err := elements(config)
	if err != nil {
		return proposed, err
	}
	before, err := elements(prior)
	if err != nil {
		return proposed, err
	}
	for index := range parts {
		if parts[index], err = awaitComputed(parts[index], at(written, index), at(before, index), b); err != nil {
			return proposed, err
		}
	}
	return tftypes.NewValue(proposed.Type(), parts), nil
}

func at(values []tftypes.Value, index int) tftypes.Value {
	if index < len(values) {
		return values[index]
	}
	return tftypes.Value{}
}

func isNull(values map[string]tftypes.Value, name string) bool {
	value, ok := values[name]
	return !ok || value.IsNull()
}

func fields(value tftypes.Value) (map[string]tftypes.Value, error) {
	result := map[string]tftypes.Value{}
	if value.IsNull() || !value.IsKnown() {
		return result, nil
	}
	err := value.As(&result)
	return result, err
}

func elements(value tftypes.Value) ([]tftypes.Value, error) {
	var result []tftypes.Value
	if value.IsNull() || !value.IsKnown() {
		return result, nil
	}
	err := value.As(&result)
	return result, err
}
