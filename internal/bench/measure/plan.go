package measure

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"time"
)

// A Plan says how often things are run. The zero value of a field is the default that stands with it.
type Plan struct {
	// Warmups is how many rounds come first in each batch and are not counted: 2.
	Warmups int
	// Rounds is how many rounds make a batch, after which the noise is judged: 30.
	Rounds int
	// Least and Most are how many batches count: 2 and 8. More than Least are run as long as something is in doubt.
	Least, Most int
	// Repeats is how many batches may be thrown away for noise: 6.
	Repeats int
	// Doubt is how far a median may be off for it to be settled, in parts of it: 0.03.
	Doubt float64
	// Rest is how long the machine is left alone after a batch that was thrown away: 2 s.
	Rest time.Duration
	// Fresh is called before each batch, to lay out anew what a run depends on by chance: a program starts up to a
	// twentieth faster or slower than a copy of it, by where the kernel has put the pages of its file. It may be nil.
	Fresh func() error
	// Load tells how busy the others on the machine were; [NewLoad] when it is nil.
	Load Meter
	// Say is told what happens. It may be nil.
	Say func(format string, args ...any)
}

func (p Plan) withDefaults() Plan {
	set := func(field *int, value int) {
		if *field == 0 {
			*field = value
		}
	}
	set(&p.Warmups, 2)
	set(&p.Rounds, 30)
	set(&p.Least, 2)
	set(&p.Most, 8)
	set(&p.Repeats, 6)
	if p.Doubt == 0 {
		p.Doubt = 0.03
	}
	if p.Rest == 0 {
		p.Rest = 2 * time.Second
	}
	if p.Fresh == nil {
		p.Fresh = func() error { return nil }
	}
	if p.Load == nil {
		p.Load = NewLoad()
	}
	if p.Say == nil {
		p.Say = func(string, ...any) {}
	}
	p.Most = max(p.Most, p.Least)
	return p
}

// Outcome is what came of a plan.
type Outcome struct {
	Noise  Noise
	series map[string]Series
	floor  string
}

// Of returns the series of the subject with this name.
func (o Outcome) Of(name string) Series { return o.series[name] }

// Floor returns the series of the floor, both of its runs in each round.
func (o Outcome) Floor() Series { return o.series[o.floor] }

// Run runs the subjects in turns, in another order in each round, and the floor and its twin in each. The floor is what the
// others are compared with; the twin is the same once more, and shows what a difference means that is none. Batches that
// were too noisy are repeated; when they stay noisy, the outcome is made of the calmest there were, and its noise says so.
func (p Plan) Run(ctx context.Context, floor, twin Subject, subjects []Subject) (Outcome, error) {
	p = p.withDefaults()
	first, second := floor, twin
	second.Name = floor.Name + twinMark
	all := append([]Subject{first, second}, subjects...)
	known := map[string]bool{}
	for _, s := range all {
		if s.Name == "" || known[s.Name] {
			return Outcome{}, fmt.Errorf("%w: %q", errNoName, s.Name)
		}
		known[s.Name] = true
	}
	// A collection in this process in the middle of a round would be charged to whoever is running.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))

	r := rand.New(rand.NewPCG(1, 2)) // the same orders each time: what differs between two runs is the machine
	var kept, thrown []batch
	for {
		b, err := p.batch(ctx, all, r, floor.Name)
		if err != nil {
			return Outcome{}, err
		}
		if b.noise.Calm() {
			kept = append(kept, b)
			if len(kept) >= p.Least && (len(kept) >= p.Most || settled(kept, p.Doubt)) {
				return outcome(kept, thrown, floor.Name), nil
			}
			continue
		}
		thrown = append(thrown, b)
		if len(thrown) > p.Repeats {
			used, left := calmest(kept, thrown, p.Least)
			return outcome(used, left, floor.Name), nil
		}
		p.Say("%v: repeated", b.noise)
		if err := rest(ctx, p.Rest); err != nil {
			return Outcome{}, err
		}
	}
}

func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// batch runs the rounds of one batch.
func (p Plan) batch(ctx context.Context, all []Subject, r *rand.Rand, floor string) (batch, error) {
	if err := p.Fresh(); err != nil {
		return batch{}, err
	}
	for range p.Warmups {
		if _, err := p.round(ctx, all, r, 0); err != nil {
			return batch{}, err
		}
	}
	b := batch{series: map[string]Series{}}
	p.Load.Start()
	for n := range p.Rounds {
		samples, err := p.round(ctx, all, r, n)
		if err != nil {
			return batch{}, err
		}
		for name, sample := range samples {
			s := b.series[name]
			s.Name = name
			s.Samples = append(s.Samples, sample)
			b.series[name] = s
		}
	}
	others, known := p.Load.Stop()
	b.noise = judge(b.series[floor], b.series[floor+twinMark], others, known)
	return b, nil
}

// round runs the subjects that are due once each. What they allocate in this process is collected beforehand, so that they
// find memory that is in use already, as in a process that runs for long: a page that is touched for the first time costs
// some microseconds.
func (p Plan) round(ctx context.Context, all []Subject, r *rand.Rand, n int) (map[string]Sample, error) {
	runtime.GC()
	samples := map[string]Sample{}
	for _, i := range r.Perm(len(all)) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s := all[i]
		if s.Every > 1 && n%s.Every != 0 {
			continue
		}
		if s.Before != nil {
			if err := s.Before(); err != nil {
				return nil, fmt.Errorf("%s: %w", s.Name, err)
			}
		}
		sample, err := s.Run()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
		samples[s.Name] = sample
	}
	return samples, nil
}
