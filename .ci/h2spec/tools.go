//go:build tools

// What `.ci/h2spec` builds, with the versions that go.mod fixes.
package tools

import _ "github.com/summerwind/h2spec/cmd/h2spec"
