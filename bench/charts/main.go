// Command charts draws the charts that the results of the benchmark describe, beside them, as SVG.
//
//	charts FOLDER
package main

import (
	"encoding/json"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// chart is what results.json says of one.
type chart struct {
	File   string `json:"file"`
	Title  string `json:"title"`
	Axis   string `json:"axis"`
	Across string `json:"across"`
	Bars   []struct {
		Name  string  `json:"name"`
		Who   string  `json:"who"`
		Value float64 `json:"value"`
		Label string  `json:"label"`
	} `json:"bars"`
	Lines []struct {
		Name   string       `json:"name"`
		Who    string       `json:"who"`
		Points [][2]float64 `json:"points"`
	} `json:"lines"`
	Limits []struct {
		Name  string  `json:"name"`
		Value float64 `json:"value"`
	} `json:"limits"`
	Logarithmic bool `json:"logarithmic"`
}

// The colours: ours, the others, the floor, ours where a peer is better, a limit.
var (
	colours = map[string]color.Color{
		"ours": color.RGBA{R: 0x1b, G: 0x5e, B: 0xa8, A: 0xff}, "peer": color.RGBA{R: 0xd9, G: 0x8c, B: 0x2b, A: 0xff},
		"floor": color.Gray{Y: 0xa0}, "behind": color.RGBA{R: 0xc0, G: 0x20, B: 0x20, A: 0xff},
	}
	red  = color.RGBA{R: 0xc0, G: 0x20, B: 0x20, A: 0xff}
	grid = color.Gray{Y: 0xdd}
)

// Of lines that belong to the same side, each has dashes of its own.
var dashes = [][]vg.Length{nil, {6, 2}, {2, 2}, {8, 2, 2, 2}, {12, 4}, {1, 3}}

const (
	width     = 22 * vg.Centimeter
	barPitch  = 0.62 * vg.Centimeter // from one bar to the next
	barWidth  = 0.36 * vg.Centimeter
	around    = 3.4 * vg.Centimeter // title, axis and their room
	lineChart = 12 * vg.Centimeter
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: charts FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "charts:", err)
		os.Exit(1)
	}
}

// run draws the charts of the results in a folder.
func run(folder string) error {
	data, err := os.ReadFile(filepath.Join(folder, "results.json"))
	if err != nil {
		return err
	}
	var results struct {
		Charts []chart `json:"charts"`
	}
	if err := json.Unmarshal(data, &results); err != nil {
		return err
	}
	for _, c := range results.Charts {
		if c.File == "" || c.File != filepath.Base(c.File) {
			return fmt.Errorf("a chart has no file name: %q", c.File)
		}
		p, height, err := c.plot()
		if err != nil {
			return fmt.Errorf("%s: %w", c.File, err)
		}
		if err := p.Save(width, height, filepath.Join(folder, c.File)); err != nil {
			return fmt.Errorf("%s: %w", c.File, err)
		}
	}
	return nil
}

// plot lays the chart out.
func (c chart) plot() (*plot.Plot, vg.Length, error) {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	p := plot.New()
	p.Title.Text = c.Title
	p.Title.Padding = 0.3 * vg.Centimeter
	p.Legend.Top = true
	if len(c.Lines) > 0 {
		return p, lineChart, c.lines(p)
	}
	return p, vg.Length(len(c.Bars)+len(c.Limits))*barPitch + around, c.bars(p)
}

// bars lays bars out below one another, the first on top. A bar is a thick line, since it begins at 1 on a logarithmic axis.
func (c chart) bars(p *plot.Plot) error {
	p.X.Label.Text = c.Axis
	start, most := 0.0, 0.0
	if c.Logarithmic {
		start = 1
		p.X.Scale = plot.LogScale{}
		p.X.Tick.Marker = decades{}
	}
	names := make([]plot.Tick, len(c.Bars))
	labels := plotter.XYLabels{}
	least := math.Inf(1)
	vertical := plotter.NewGrid()
	vertical.Vertical.Color, vertical.Horizontal.Color = grid, nil
	p.Add(vertical)
	for i, b := range c.Bars {
		at := float64(len(c.Bars) - 1 - i)
		names[i] = plot.Tick{Value: at, Label: b.Name}
		bar, err := plotter.NewLine(plotter.XYs{{X: start, Y: at}, {X: b.Value, Y: at}})
		if err != nil {
			return err
		}
		bar.Color, bar.Width = colours[b.Who], barWidth
		p.Add(bar)
		labels.XYs = append(labels.XYs, plotter.XY{X: math.Max(b.Value, start), Y: at})
		labels.Labels = append(labels.Labels, " "+b.Label)
		most, least = math.Max(most, b.Value), math.Min(least, b.Value)
	}
	for i, l := range c.Limits {
		line, err := plotter.NewLine(plotter.XYs{{X: l.Value, Y: -0.6}, {X: l.Value, Y: float64(len(c.Bars)) - 0.4}})
		if err != nil {
			return err
		}
		line.Color, line.Width, line.Dashes = red, 1.5, dashes[(i+1)%len(dashes)]
		p.Add(line)
		p.Legend.Add(l.Name, line)
		most, least = math.Max(most, l.Value), math.Min(least, l.Value)
	}
	texts, err := plotter.NewLabels(labels)
	if err != nil {
		return err
	}
	for i := range texts.TextStyle {
		texts.TextStyle[i].YAlign = draw.YCenter
	}
	p.Add(texts)
	p.Y.Tick.Marker = plot.ConstantTicks(names)
	p.Y.Tick.Length = 0
	p.Y.LineStyle.Width = 0
	p.Y.Min, p.Y.Max = -0.6, float64(len(c.Bars)+len(c.Limits))-0.4 // room for the legend
	p.X.Min, p.X.Max = 0, most*1.15                                 // room for the labels
	if c.Logarithmic {
		p.X.Min, p.X.Max = least/1.5, most*2.5
	}
	return nil
}

// lines lays lines out over a logarithmic axis.
func (c chart) lines(p *plot.Plot) error {
	p.X.Label.Text, p.Y.Label.Text = c.Across, c.Axis
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, decades{}
	if c.Logarithmic {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, decades{}
	}
	both := plotter.NewGrid()
	both.Vertical.Color, both.Horizontal.Color = grid, grid
	p.Add(both)
	p.Legend.Left = true
	for i, l := range c.Lines {
		xys := plotter.XYs{}
		for _, point := range l.Points {
			xys = append(xys, plotter.XY{X: point[0], Y: point[1]})
		}
		line, points, err := plotter.NewLinePoints(xys)
		if err != nil {
			return err
		}
		line.Color, line.Width, line.Dashes = colours[l.Who], 1.5, dashes[i%len(dashes)]
		points.Color, points.Shape = colours[l.Who], draw.CircleGlyph{}
		p.Add(line, points)
		p.Legend.Add(l.Name, line)
	}
	p.Legend.TextStyle.Font.Size = font.Points(9)
	p.Y.Max *= 4 // room for the legend
	return nil
}

// decades marks 1, 2 and 5 of each power of ten, in plain numbers.
type decades struct{}

// Ticks returns the marks between two values.
func (decades) Ticks(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for e := math.Floor(math.Log10(low)); e <= math.Ceil(math.Log10(high)); e++ {
		for _, m := range []float64{1, 2, 5} {
			v := m * math.Pow(10, e)
			if v < low || v > high {
				continue
			}
			label := ""
			if m == 1 || high/low < 1000 {
				label = strconv.FormatFloat(v, 'g', 3, 64)
				if v >= 1000 {
					label = strconv.FormatFloat(v, 'f', 0, 64)
				}
			}
			ticks = append(ticks, plot.Tick{Value: v, Label: label})
		}
	}
	return ticks
}
