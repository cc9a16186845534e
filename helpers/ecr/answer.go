package ecr

import "strings"

// A document is XML as AWS's query protocol answers with it (https://smithy.io/2.0/aws/protocols/aws-query-protocol.html):
// no element is inside one of its own name, no attribute has a ">" in it, and text is escaped. It is read here since
// encoding/xml fills its tables when a process starts, in every one that answers from the cache.
type document string

// at returns what is inside the first element of a name, or nothing.
func (d document) at(name string) document {
	for rest := string(d); rest != ""; {
		_, behind, _ := strings.Cut(rest, "<"+name)
		attributes, inside, _ := strings.Cut(behind, ">")
		if attributes != "" && attributes[0] != ' ' { // a longer name
			rest = behind
			continue
		}
		if inside, _, closed := strings.Cut(inside, "</"+name+">"); closed {
			return document(inside)
		}
		return ""
	}
	return ""
}

// unescape knows the entities that XML itself has. The services write a line end in a text as one by its number.
var unescape = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", `"`, "&apos;", "'", "&amp;", "&", "&#xD;", "\r", "&#xA;", "\n")

// text returns the text of an element that has nothing but text in it, without the space around it, or nothing.
func (d document) text(name string) string {
	inside := string(d.at(name))
	if strings.Contains(inside, "<") {
		return ""
	}
	return strings.TrimSpace(unescape.Replace(inside))
}
