// The stand-in of the provider mongodb/mongodbatlas: Terraform's plugin protocol 6 in front of the stand-in of Atlas.
//
// It runs beside the stand-ins and Terraform attaches to it, so that no mirror and no configuration of Terraform has to know it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"
)

const address = "registry.terraform.io/mongodb/mongodbatlas"

func main() {
	api := flag.String("api", "", "URL of the stand-in of Atlas, such as http://127.0.0.1:5568")
	flag.Parse()
	if err := run(*api); err != nil {
		fmt.Fprintf(os.Stderr, "atlas-provider: %s\n", err)
		os.Exit(1)
	}
}

func run(api string) error {
	if api == "" {
		return errors.New("-api is missing: say where the stand-in of Atlas answers")
	}
	server, err := newProvider(api)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	attached := make(chan *plugin.ReattachConfig)
	closed := make(chan struct{})
	go announce(attached)
	err = tf6server.Serve(
		address,
		func() tfprotov6.ProviderServer { return server },
		tf6server.WithDebug(ctx, attached, closed),
		// It tells of sockets that close, which they do when it ends.
		tf6server.WithGoPluginLogger(hclog.NewNullLogger()),
	)
	if err != nil {
		return err
	}
	<-closed
	return nil
}

// announce writes the value of TF_REATTACH_PROVIDERS to standard output, on one line, once the server listens.
func announce(attached <-chan *plugin.ReattachConfig) {
	config := <-attached
	value := map[string]any{
		address: map[string]any{
			"Protocol":        string(config.Protocol),
			"ProtocolVersion": config.ProtocolVersion,
			"Pid":             config.Pid,
			"Test":            config.Test,
			"Addr":            map[string]string{"Network": config.Addr.Network(), "String": config.Addr.String()},
		},
	}
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
}
