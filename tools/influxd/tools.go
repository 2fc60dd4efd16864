//go:build tools

// Package influxd names what ./build builds, so that go.mod and go.sum pin it.
package influxd

import (
	_ "github.com/influxdata/influxdb/v2/cmd/influxd"
	_ "github.com/influxdata/pkg-config"
)
