package conformance

// processes are the cases about signals, other processes and files. They are written for systems of the Unix kind.
var processes []testCase

const fullDevice = ""

func lacksFullDevice(Helper) string { return "no device that is always full: run the suite on Linux" }

func (p *probe) shell(script, in string, args ...string) outcome {
	return outcome{code: -1, stderr: "no shell"}
}
