package upstream

import (
	"testing"

	"go.uber.org/goleak"
)

// No test leaves a connection or a program behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
