package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const requestTimeout = 30 * time.Second

// errGone says that the object does not exist any more.
var errGone = errors.New("no such object")

// api is the stand-in of Atlas. Objects are in the form of Terraform's attributes.
type api struct {
	url    string
	client *http.Client
}

func newAPI(address string) *api {
	// Never through a proxy: the shell's may lead to the stand-in of AWS.
	transport := &http.Transport{Proxy: nil, MaxIdleConnsPerHost: 10, IdleConnTimeout: time.Minute}
	return &api{url: address, client: &http.Client{Timeout: requestTimeout, Transport: transport}}
}

func (a *api) create(ctx context.Context, kind string, object any) (map[string]any, error) {
	return a.call(ctx, http.MethodPost, "/"+kind, object)
}

func (a *api) read(ctx context.Context, kind, id string) (map[string]any, error) {
	return a.call(ctx, http.MethodGet, "/"+kind+"/"+url.PathEscape(id), nil)
}

func (a *api) find(ctx context.Context, kind, importID string) (map[string]any, error) {
	return a.call(ctx, http.MethodGet, "/"+kind+"?import="+url.QueryEscape(importID), nil)
}

func (a *api) update(ctx context.Context, kind, id string, object any) (map[string]any, error) {
	return a.call(ctx, http.MethodPut, "/"+kind+"/"+url.PathEscape(id), object)
}

func (a *api) remove(ctx context.Context, kind, id string) error {
	_, err := a.call(ctx, http.MethodDelete, "/"+kind+"/"+url.PathEscape(id), nil)
	return err
}

func (a *api) call(ctx context.Context, method, path string, object any) (map[string]any, error) {
	var body io.Reader
	if object != nil {
		text, err := json.Marshal(object)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, a.url+path, body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := a.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("the stand-in of Atlas does not answer: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusNotFound && method != http.MethodPost {
		return nil, errGone
	}
	if response.StatusCode >= http.StatusBadRequest {
		var refusal struct {
			ErrorCode string `json:"errorCode"`
			Detail    string `json:"detail"`
		}
		if json.Unmarshal(text, &refusal) != nil || refusal.Detail == "" {
			return nil, fmt.Errorf("%s %s: HTTP status %d", method, path, response.StatusCode)
		}
		return nil, fmt.Errorf("%s (HTTP status %d, error code %s)", refusal.Detail, response.StatusCode, refusal.ErrorCode)
	}
	if len(text) == 0 {
		return nil, nil
	}
	var answer map[string]any
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return answer, nil
}
