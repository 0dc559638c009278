package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// provider answers Terraform for every resource of schemas.json alike: what differs between them is in the stand-in of Atlas.
type provider struct {
	api       *api
	config    *block
	resources map[string]*resource
}

func newProvider(address string) (*provider, error) {
	resources, err := loadResources()
	if err != nil {
		return nil, err
	}
	return &provider{api: newAPI(address), config: &block{}, resources: resources}, nil
}

func (p *provider) GetMetadata(context.Context, *tfprotov6.GetMetadataRequest) (*tfprotov6.GetMetadataResponse, error) {
	result := &tfprotov6.GetMetadataResponse{}
	for _, name := range sortedKeys(p.resources) {
		result.Resources = append(result.Resources, tfprotov6.ResourceMetadata{TypeName: name})
	}
	return result, nil
}

func (p *provider) GetProviderSchema(
	context.Context, *tfprotov6.GetProviderSchemaRequest,
) (*tfprotov6.GetProviderSchemaResponse, error) {
	schemas := map[string]*tfprotov6.Schema{}
	for name, each := range p.resources {
		schemas[name] = &tfprotov6.Schema{Block: each.schema()}
	}
	return &tfprotov6.GetProviderSchemaResponse{
		Provider:        &tfprotov6.Schema{Block: p.config.schema()},
		ResourceSchemas: schemas,
	}, nil
}

func (p *provider) GetResourceIdentitySchemas(
	context.Context, *tfprotov6.GetResourceIdentitySchemasRequest,
) (*tfprotov6.GetResourceIdentitySchemasResponse, error) {
	return &tfprotov6.GetResourceIdentitySchemasResponse{}, nil
}

func (p *provider) ValidateProviderConfig(
	_ context.Context, request *tfprotov6.ValidateProviderConfigRequest,
) (*tfprotov6.ValidateProviderConfigResponse, error) {
	return &tfprotov6.ValidateProviderConfigResponse{PreparedConfig: request.Config}, nil
}

func (p *provider) ConfigureProvider(
	context.Context, *tfprotov6.ConfigureProviderRequest,
) (*tfprotov6.ConfigureProviderResponse, error) {
	return &tfprotov6.ConfigureProviderResponse{}, nil
}

func (p *provider) StopProvider(context.Context, *tfprotov6.StopProviderRequest) (*tfprotov6.StopProviderResponse, error) {
	return &tfprotov6.StopProviderResponse{}, nil
}

func (p *provider) ValidateResourceConfig(
	context.Context, *tfprotov6.ValidateResourceConfigRequest,
) (*tfprotov6.ValidateResourceConfigResponse, error) {
	return &tfprotov6.ValidateResourceConfigResponse{}, nil
}

func (p *provider) UpgradeResourceState(
	_ context.Context, request *tfprotov6.UpgradeResourceStateRequest,
) (*tfprotov6.UpgradeResourceStateResponse, error) {
	state, err := request.RawState.Unmarshal(p.resources[request.TypeName].object())
	if err != nil {
		return &tfprotov6.UpgradeResourceStateResponse{Diagnostics: failed(request.TypeName, "read the state of", err)}, nil
	}
	upgraded, err := tfprotov6.NewDynamicValue(state.Type(), state)
	return &tfprotov6.UpgradeResourceStateResponse{UpgradedState: &upgraded}, err
}

func (p *provider) ReadResource(
	ctx context.Context, request *tfprotov6.ReadResourceRequest,
) (*tfprotov6.ReadResourceResponse, error) {
	each := p.resources[request.TypeName]
	state, err := request.CurrentState.Unmarshal(each.object())
	if err != nil {
		return nil, err
	}
	id, err := idOf(state)
	if err != nil {
		return nil, err
	}
	answer, err := p.api.read(ctx, request.TypeName, id)
	switch {
	case errors.Is(err, errGone):
		state = tftypes.NewValue(each.object(), nil)
	case err != nil:
		return &tfprotov6.ReadResourceResponse{Diagnostics: failed(request.TypeName, "read", err)}, nil
	default:
		if state, err = blockFromJSON(answer, &each.block); err != nil {
			return nil, err
		}
	}
	value, err := tfprotov6.NewDynamicValue(state.Type(), state)
	return &tfprotov6.ReadResourceResponse{NewState: &value, Private: request.Private}, err
}

func (p *provider) PlanResourceChange(
	_ context.Context, request *tfprotov6.PlanResourceChangeRequest,
) (*tfprotov6.PlanResourceChangeResponse, error) {
	each := p.resources[request.TypeName]
	proposed, err := request.ProposedNewState.Unmarshal(each.object())
	if err != nil {
		return nil, err
	}
	prior, err := request.PriorState.Unmarshal(each.object())
	if err != nil {
		return nil, err
	}
	config, err := request.Config.Unmarshal(each.object())
	if err != nil {
		return nil, err
	}
	response := &tfprotov6.PlanResourceChangeResponse{PlannedPrivate: request.PriorPrivate}
	planned := proposed
	if !proposed.IsNull() {
		if planned, err = awaitComputed(proposed, config, prior, &each.block); err != nil {
			return nil, err
		}
		if !prior.IsNull() {
			if response.RequiresReplace, err = each.replaced(prior, planned); err != nil {
				return nil, err
			}
		}
	}
	value, err := tfprotov6.NewDynamicValue(planned.Type(), planned)
	response.PlannedState = &value
	return response, err
}

// replaced names the attributes that change and cannot.
func (r *resource) replaced(prior, planned tftypes.Value) ([]*tftypes.AttributePath, error) {
	before, err := fields(prior)
	if err != nil {
		return nil, err
	}
	after, err := fields(planned)
	if err != nil {
		return nil, err
	}
	var result []*tftypes.AttributePath
	for _, name := range r.replaces {
		if !before[name].Equal(after[name]) {
			result = append(result, tftypes.NewAttributePath().WithAttributeName(name))
		}
	}
	return result, nil
}

func (p *provider) ApplyResourceChange(
	ctx context.Context, request *tfprotov6.ApplyResourceChangeRequest,
) (*tfprotov6.ApplyResourceChangeResponse, error) {
	each := p.resources[request.TypeName]
	prior, err := request.PriorState.Unmarshal(each.object())
	if err != nil {
		return nil, err
	}
	planned, err := request.PlannedState.Unmarshal(each.object())
	if err != nil {
		return nil, err
	}
	state, action, err := p.apply(ctx, request.TypeName, prior, planned)
	response := &tfprotov6.ApplyResourceChangeResponse{Private: request.PlannedPrivate}
	if err != nil {
		response.Diagnostics = failed(request.TypeName, action, err)
		state = prior
	}
	value, err := tfprotov6.NewDynamicValue(state.Type(), state)
	response.NewState = &value
	return response, err
}

func (p *provider) apply(ctx context.Context, kind string, prior, planned tftypes.Value) (tftypes.Value, string, error) {
	id, err := idOf(prior)
	if err != nil {
		return prior, "change", err
	}
	if planned.IsNull() {
		if err = p.api.remove(ctx, kind, id); errors.Is(err, errGone) {
			err = nil
		}
		return planned, "delete", err
	}
	object, err := toJSON(planned)
	if err != nil {
		return prior, "change", err
	}
	var answer map[string]any
	action := "create"
	if prior.IsNull() {
		answer, err = p.api.create(ctx, kind, object)
	} else {
		action = "update"
		answer, err = p.api.update(ctx, kind, id, object)
	}
	if err != nil {
		return prior, action, err
	}
	state, err := fill(planned, answer)
	return state, action, err
}

func (p *provider) ImportResourceState(
	ctx context.Context, request *tfprotov6.ImportResourceStateRequest,
) (*tfprotov6.ImportResourceStateResponse, error) {
	answer, err := p.api.find(ctx, request.TypeName, request.ID)
	if err != nil {
		return &tfprotov6.ImportResourceStateResponse{Diagnostics: failed(request.TypeName, "import", err)}, nil
	}
	state, err := blockFromJSON(answer, &p.resources[request.TypeName].block)
	if err != nil {
		return nil, err
	}
	value, err := tfprotov6.NewDynamicValue(state.Type(), state)
	imported := &tfprotov6.ImportedResource{TypeName: request.TypeName, State: &value}
	return &tfprotov6.ImportResourceStateResponse{ImportedResources: []*tfprotov6.ImportedResource{imported}}, err
}

func (p *provider) MoveResourceState(
	_ context.Context, request *tfprotov6.MoveResourceStateRequest,
) (*tfprotov6.MoveResourceStateResponse, error) {
	return &tfprotov6.MoveResourceStateResponse{Diagnostics: notHere(request.TargetTypeName, "moves between types")}, nil
}

func (p *provider) UpgradeResourceIdentity(
	_ context.Context, request *tfprotov6.UpgradeResourceIdentityRequest,
) (*tfprotov6.UpgradeResourceIdentityResponse, error) {
	return &tfprotov6.UpgradeResourceIdentityResponse{Diagnostics: notHere(request.TypeName, "identities")}, nil
}

func (p *provider) ValidateDataResourceConfig(
	_ context.Context, request *tfprotov6.ValidateDataResourceConfigRequest,
) (*tfprotov6.ValidateDataResourceConfigResponse, error) {
	return &tfprotov6.ValidateDataResourceConfigResponse{Diagnostics: notHere(request.TypeName, "data sources")}, nil
}

func (p *provider) ReadDataSource(
	_ context.Context, request *tfprotov6.ReadDataSourceRequest,
) (*tfprotov6.ReadDataSourceResponse, error) {
	return &tfprotov6.ReadDataSourceResponse{Diagnostics: notHere(request.TypeName, "data sources")}, nil
}

func (p *provider) GetFunctions(context.Context, *tfprotov6.GetFunctionsRequest) (*tfprotov6.GetFunctionsResponse, error) {
	return &tfprotov6.GetFunctionsResponse{Functions: map[string]*tfprotov6.Function{}}, nil
}

func (p *provider) CallFunction(
	_ context.Context, request *tfprotov6.CallFunctionRequest,
) (*tfprotov6.CallFunctionResponse, error) {
	return &tfprotov6.CallFunctionResponse{Error: &tfprotov6.FunctionError{Text: request.Name + ": the stand-in has no functions"}}, nil
}

func (p *provider) ValidateEphemeralResourceConfig(
	_ context.Context, request *tfprotov6.ValidateEphemeralResourceConfigRequest,
) (*tfprotov6.ValidateEphemeralResourceConfigResponse, error) {
	return &tfprotov6.ValidateEphemeralResourceConfigResponse{Diagnostics: notHere(request.TypeName, "ephemeral resources")}, nil
}

func (p *provider) OpenEphemeralResource(
	_ context.Context, request *tfprotov6.OpenEphemeralResourceRequest,
) (*tfprotov6.OpenEphemeralResourceResponse, error) {
	return &tfprotov6.OpenEphemeralResourceResponse{Diagnostics: notHere(request.TypeName, "ephemeral resources")}, nil
}

func (p *provider) RenewEphemeralResource(
	_ context.Context, request *tfprotov6.RenewEphemeralResourceRequest,
) (*tfprotov6.RenewEphemeralResourceResponse, error) {
	return &tfprotov6.RenewEphemeralResourceResponse{Diagnostics: notHere(request.TypeName, "ephemeral resources")}, nil
}

func (p *provider) CloseEphemeralResource(
	_ context.Context, request *tfprotov6.CloseEphemeralResourceRequest,
) (*tfprotov6.CloseEphemeralResourceResponse, error) {
	return &tfprotov6.CloseEphemeralResourceResponse{Diagnostics: notHere(request.TypeName, "ephemeral resources")}, nil
}

func idOf(state tftypes.Value) (string, error) {
	parts, err := fields(state)
	if err != nil || len(parts) == 0 {
		return "", err
	}
	var id string
	err = parts["id"].As(&id)
	return id, err
}

func failed(kind, action string, err error) []*tfprotov6.Diagnostic {
	return []*tfprotov6.Diagnostic{{
		Severity: tfprotov6.DiagnosticSeverityError,
		Summary:  fmt.Sprintf("could not %s %s", action, kind),
		Detail:   err.Error(),
	}}
}

func notHere(kind, what string) []*tfprotov6.Diagnostic {
	return []*tfprotov6.Diagnostic{{
		Severity: tfprotov6.DiagnosticSeverityError,
		Summary:  fmt.Sprintf("%s: the stand-in of the provider has no %s", kind, what),
	}}
}
