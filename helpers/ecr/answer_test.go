package ecr

import (
	"bytes"
	"encoding/xml"
	"testing"

	"pgregory.net/rapid"
)

// What is an answer to encoding/xml is the same here, whatever stands in it and around it.
func TestReadsTheXMLOfAnAnswer(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := func(name string) string {
			return rapid.StringMatching(`[a-zA-Z0-9+/=<>&"'\r\n]{1,40}[a-z]`).Draw(t, name)
		}
		space := func(name string) string { return rapid.StringMatching(`[ \n]{0,3}`).Draw(t, name) }
		escaped := func(s string) string {
			var b bytes.Buffer
			if err := xml.EscapeText(&b, []byte(s)); err != nil {
				t.Fatal(err)
			}
			return b.String()
		}
		id, token := "A"+text("id"), "T"+text("token")
		body := `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">` + space("1") +
			rapid.SampledFrom([]string{`<AssumeRoleResults/>`, ``}).Draw(t, "other") +
			rapid.SampledFrom([]string{`<AssumeRoleResult>`, `<AssumeRoleResult xmlns="urn:x" >`}).Draw(t, "result") +
			`<AssumedRoleUser><Arn>` + escaped(text("arn")) + `</Arn></AssumedRoleUser><Credentials>` + space("2") + `<AccessKeyId>` +
			space("3") + escaped(id) + space("4") + `</AccessKeyId><SessionToken>` + escaped(token) + `</SessionToken></Credentials>` +
			`</AssumeRoleResult><ResponseMetadata><RequestId>` + escaped(text("request")) + `</RequestId></ResponseMetadata></AssumeRoleResponse>`
		var theirs struct {
			ID    string `xml:"AssumeRoleResult>Credentials>AccessKeyId"`
			Token string `xml:"AssumeRoleResult>Credentials>SessionToken"`
		}
		body = string(bytes.ReplaceAll(bytes.ReplaceAll([]byte(body), []byte("&#34;"), []byte("&quot;")), []byte("&#39;"), []byte("&apos;")))
		if err := xml.Unmarshal([]byte(body), &theirs); err != nil || theirs.Token != token {
			t.Fatalf("the answer of the test is no good: %v", err)
		}
		keys := document(body).at("AssumeRoleResult").at("Credentials")
		if got := keys.text("AccessKeyId"); got != id {
			t.Fatalf("%q was read as %q", id, got)
		}
		if got := keys.text("SessionToken"); got != token {
			t.Fatalf("%q was read as %q", token, got)
		}
	})
}

func TestWhatIsNoAnswerHoldsNothing(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		"", "<Error>", "<Error><Code>", "<Error><Code>x", "<Error><Code>x</Code>", "<Error></Error><Code>x</Code>",
		"<Error><Code><b>x</b></Code></Error>", "<Error><Code><!-- x --></Code></Error>", "<Error><Code><![CDATA[x]]></Code></Error>",
		"<Errors><Code>x</Code></Errors>", "<Error/><Code>x</Code>", "</Error><Code>x</Code><Error>", "<error><code>x</code></error>",
	} {
		if got := document(body).at("Error").text("Code"); got != "" {
			t.Errorf("%s: %q", body, got)
		}
	}
}
