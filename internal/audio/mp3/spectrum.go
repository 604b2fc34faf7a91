package mp3

import (
	"fmt"
	"math"
)

// maxBands is the most scale factor bands a granule has: 13 short ones in 3 windows.
const maxBands = 39

// scaleFactors are those of one channel in one granule, in the order of its bands.
type scaleFactors struct {
	value   [maxBands]int
	illegal [maxBands]bool // as intensity positions: the band is not intensity coded
}

// partition is a run of bands whose scale factors have the same number of bits.
type partition struct{ bands, bits int }

// Bits of scale factors by scalefac_compress (11172-3 §2.4.2.7).
var (
	compressLow  = [16]int{0, 0, 0, 0, 3, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4}
	compressHigh = [16]int{0, 1, 2, 3, 0, 1, 2, 3, 1, 2, 3, 1, 2, 3, 2, 3}
)

// Bands of the four partitions in MPEG-2 (13818-3 §2.4.3.2), by range of scalefac_compress and by
// layout; the last three rows are for the right channel under intensity stereo.
var lsfPartitions = [6][3][4]int{
	{{6, 5, 5, 5}, {9, 9, 9, 9}, {6, 9, 9, 9}},
	{{6, 5, 7, 3}, {9, 9, 12, 6}, {6, 9, 12, 6}},
	{{11, 10, 0, 0}, {18, 18, 0, 0}, {15, 18, 0, 0}},
	{{7, 7, 7, 0}, {12, 12, 12, 0}, {6, 15, 12, 0}},
	{{6, 6, 6, 3}, {12, 9, 9, 6}, {6, 12, 9, 6}},
	{{8, 8, 5, 0}, {15, 12, 9, 0}, {6, 18, 9, 0}},
}

func (g *granule) layout() int {
	switch {
	case g.blockType != 2:
		return layoutLong
	case g.mixed:
		return layoutMixed
	default:
		return layoutShort
	}
}

// partitions tells how the scale factors are laid out. It sets preflag where MPEG-2 implies it.
func (g *granule) partitions(h Header, intensityRight bool) [4]partition {
	layout := g.layout()
	if !h.lsf {
		low, high := compressLow[g.compress], compressHigh[g.compress]
		switch layout {
		case layoutLong: // in the groups of scfsi
			return [4]partition{{6, low}, {5, low}, {5, high}, {5, high}}
		case layoutShort:
			return [4]partition{{18, low}, {18, high}}
		default:
			return [4]partition{{17, low}, {18, high}}
		}
	}
	var row int
	var bits [4]int
	switch c := g.compress; {
	case intensityRight && c>>1 < 180:
		c >>= 1
		row, bits = 3, [4]int{c / 36, c % 36 / 6, c % 6}
	case intensityRight && c>>1 < 244:
		c = c>>1 - 180
		row, bits = 4, [4]int{c >> 4, c >> 2 & 3, c & 3}
	case intensityRight:
		c = c>>1 - 244
		row, bits = 5, [4]int{c / 3, c % 3}
	case c < 400:
		row, bits = 0, [4]int{(c >> 4) / 5, (c >> 4) % 5, c >> 2 & 3, c & 3}
	case c < 500:
		c -= 400
		row, bits = 1, [4]int{(c >> 2) / 5, (c >> 2) % 5, c & 3}
	default:
		c -= 500
		row, bits = 2, [4]int{c / 3, c % 3}
		g.preflag = true
	}
	var parts [4]partition
	for i, n := range lsfPartitions[row][layout] {
		parts[i] = partition{n, bits[i]}
	}
	return parts
}

// pretab is added to the scale factors of long blocks with preflag (11172-3 Table 3-B.6).
var pretab = [22]int{11: 1, 12: 1, 13: 1, 14: 1, 15: 2, 16: 2, 17: 3, 18: 3, 19: 3, 20: 2}

// readGranule reads the scale factors and spectrum of a channel and dequantises it.
func (d *Decoder) readGranule(h Header, b *bitReader, limit, gr, c int) error {
	g := &d.granules[gr][c]
	stop := b.pos + g.length
	if stop > limit {
		return fmt.Errorf("%w: granule of %d bits", ErrFrame, g.length)
	}
	intensityRight := c == 1 && h.mode == 1 && h.modeExt&1 != 0
	d.readScaleFactors(h, b, gr, c, intensityRight)
	if b.pos > stop {
		return fmt.Errorf("%w: scale factors overrun", ErrFrame)
	}
	last, err := g.readHuffman(b, stop, &d.spectrum[c])
	if err != nil {
		return err
	}
	b.pos = stop
	clear(d.spectrum[c][last:])
	d.dequantise(g, &d.scale[gr][c], &d.spectrum[c], last)
	g.filled = last
	return nil
}

func (d *Decoder) readScaleFactors(h Header, b *bitReader, gr, c int, intensityRight bool) {
	g, sf := &d.granules[gr][c], &d.scale[gr][c]
	parts := g.partitions(h, intensityRight)
	band := 0
	for i, p := range parts {
		// Groups of scfsi are the partitions of a long MPEG-1 block, the first in the highest bit.
		if g.share>>(3-i)&1 == 1 && g.blockType != 2 {
			copy(sf.value[band:band+p.bands], d.scale[0][c].value[band:])
			copy(sf.illegal[band:band+p.bands], d.scale[0][c].illegal[band:])
			band += p.bands
			continue
		}
		for range p.bands {
			v := b.bits(p.bits)
			sf.value[band] = v
			if h.lsf {
				sf.illegal[band] = p.bits > 0 && v == 1<<p.bits-1
			} else {
				sf.illegal[band] = v == 7
			}
			band++
		}
	}
	clear(sf.value[band:])
	clear(sf.illegal[band:])
}

// dequantise scales the powers of the spectrum by the gains of their bands (11172-3 §2.4.3.4.7.1).
func (d *Decoder) dequantise(g *granule, sf *scaleFactors, x *[granuleSize]float32, last int) {
	step := 2
	if g.coarse {
		step = 4
	}
	start := 0
	for i, band := range g.bands {
		if start >= last {
			return
		}
		exponent := g.gain - 210
		factor := sf.value[i]
		if band.window >= 0 {
			exponent -= 8 * g.subblockGain[band.window]
		} else if g.preflag {
			factor += pretab[i]
		}
		gain := gains[max(0, exponent-step*factor+gainZero)]
		for j := start; j < band.end; j++ {
			x[j] *= gain
		}
		start = band.end
	}
}

// stereo undoes mid/side and intensity coding of a joint stereo granule (11172-3 §2.4.3.4.9;
// 13818-3 §2.4.3.2 for MPEG-2).
func (d *Decoder) stereo(h Header, gr int) {
	left, right := &d.granules[gr][0], &d.granules[gr][1]
	x, y := &d.spectrum[0], &d.spectrum[1]
	midSide := h.modeExt&2 != 0
	filled := max(left.filled, right.filled)
	if h.modeExt&1 == 0 {
		if midSide {
			midSideStereo(x[:filled], y[:filled])
			left.filled, right.filled = filled, filled
		}
		return
	}
	// Intensity coding holds above the last band in which the right channel has anything: for long
	// bands together, for short ones in each window.
	top := [4]int{-1, -1, -1, -1} // by window + 1
	start := 0
	for i, band := range right.bands {
		for _, v := range y[start:band.end] {
			if v != 0 {
				top[band.window+1] = i
				break
			}
		}
		start = band.end
	}
	if right.long > 0 && right.long < len(right.bands) {
		// A mixed block: long bands are intensity coded only if no short one has anything.
		if short := max(top[1], top[2], top[3]); short >= 0 {
			top[0] = right.long
		}
	}
	sf := d.scale[gr][1]
	// The last band has no scale factor of its own: it takes that of the band before.
	n, back := len(right.bands), 1
	if right.blockType == 2 {
		back = 3
	}
	for i := n - back; i < n; i++ {
		if prev := i - back; top[right.bands[i].window+1] < prev {
			sf.value[i], sf.illegal[i] = sf.value[prev], sf.illegal[prev]
		} else if !h.lsf {
			sf.value[i], sf.illegal[i] = 3, false
		} else {
			sf.value[i], sf.illegal[i] = 0, false
		}
	}
	start = 0
	for i, band := range right.bands {
		a, b := x[start:band.end], y[start:band.end]
		start = band.end
		if i <= top[band.window+1] || sf.illegal[i] || !h.lsf && sf.value[i] > 6 {
			if midSide {
				midSideStereo(a, b)
			}
			continue
		}
		kl, kr := intensity(h, sf.value[i], right.compress)
		for j, v := range a {
			a[j], b[j] = v*kl, v*kr
		}
	}
	left.filled, right.filled = granuleSize, granuleSize
}

func midSideStereo(x, y []float32) {
	y = y[:len(x)]
	for i, m := range x {
		s := y[i]
		x[i], y[i] = (m+s)*(math.Sqrt2/2), (m-s)*(math.Sqrt2/2)
	}
}

// intensity is the share of both channels for a position.
func intensity(h Header, position, compress int) (left, right float32) {
	if !h.lsf {
		ratio := math.Tan(float64(position) * math.Pi / 12)
		if position == 6 {
			return 1, 0
		}
		return float32(ratio / (1 + ratio)), float32(1 / (1 + ratio))
	}
	step := math.Exp2(-0.25)
	if compress&1 == 1 {
		step = math.Sqrt2 / 2
	}
	share := float32(math.Pow(step, float64((position+1)/2)))
	if position&1 == 1 {
		return share, 1
	}
	return 1, share
}
