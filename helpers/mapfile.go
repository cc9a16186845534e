package helpers

// This file reads the JSON of the map file. A name that is not known is an error, so that a misspelt one does not pass
// for a pin that does nothing.

func eachField(o object, known map[string]func(value) error) error {
	for name, v := range o {
		read, ok := known[name]
		if !ok {
			return badMap("has the unknown field " + Printable(name))
		}
		if err := read(v); err != nil {
			return err
		}
	}
	return nil
}

func eachObject(v value, name string, read func(object) error) error {
	elements, ok := v.array()
	if !ok {
		return badMap("has something other than a list in " + name)
	}
	for _, e := range elements {
		o, err := e.object()
		if err != nil {
			return badMap("has something in " + name + " that is not a JSON object with each field once")
		}
		if err := read(o); err != nil {
			return err
		}
	}
	return nil
}

// textInto returns a reader of a field that is a string.
func textInto(dst *string) func(value) error {
	return func(v value) (err error) {
		var ok bool
		if *dst, ok = v.text(); !ok {
			err = badMap("has a field that is not a string")
		}
		return err
	}
}

func appendPin(pins *[]Pin, o object) error {
	var p Pin
	err := eachField(o, map[string]func(value) error{
		"host": textInto(&p.Host), "type": textInto(&p.Type), "registry": textInto(&p.Registry),
		"region": textInto(&p.Region), "profile": textInto(&p.Profile), "role": textInto(&p.Role),
		"external_id": textInto(&p.ExternalID), "session_name": textInto(&p.SessionName),
	})
	*pins = append(*pins, p)
	return err
}

func appendPartition(partitions *[]Partition, o object) error {
	var p Partition
	err := eachField(o, map[string]func(value) error{
		"name": textInto(&p.Name), "suffix": textInto(&p.Suffix),
		"dual_stack": textInto(&p.DualStack), "dual_stack_api": textInto(&p.DualStackAPI),
		"regions": func(v value) error {
			elements, ok := v.array()
			if !ok {
				return badMap("has a partition whose regions are not a list")
			}
			for _, e := range elements {
				var region string
				if err := textInto(&region)(e); err != nil {
					return err
				}
				p.Regions = append(p.Regions, region)
			}
			return nil
		},
	})
	*partitions = append(*partitions, p)
	return err
}
