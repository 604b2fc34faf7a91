package mp3

import "fmt"

// tableInfo says which list of words a table number stands for and how many bits extend a 15.
var tableInfo = func() (info [32]struct{ words, linbits int }) {
	for t := range info {
		info[t].words = t
	}
	for i, bits := range []int{1, 2, 3, 4, 6, 8, 10, 13} {
		info[16+i].words, info[16+i].linbits = 16, bits
	}
	for i, bits := range []int{4, 5, 6, 7, 8, 9, 11, 13} {
		info[24+i].words, info[24+i].linbits = 24, bits
	}
	return info
}()

// fastBits is how many bits of a word are looked up at once. Longer words take a second step.
const fastBits = 9

// huffmanTree looks words up. An entry is length in the low 5 bits and the pair (x in the upper, y
// in the lower nibble) or quadruple above; or, for longer words, the offset of a second table
// above, the bits it is indexed by below, and the highest bit set.
type huffmanTree []uint32

const subTable = 1 << 31

var huffmanTrees [34]huffmanTree

func buildHuffman() {
	for t, words := range huffmanWords {
		huffmanTrees[t] = newHuffmanTree(t, words)
	}
}

func newHuffmanTree(table int, words []uint32) huffmanTree {
	side := 1
	for table < 32 && side*side < len(words) {
		side++
	}
	tree := make(huffmanTree, 1<<fastBits)
	// The longest word behind each prefix gives the size of its second table.
	var extra [1 << fastBits]int
	for _, w := range words {
		if n := int(w & 31); n > fastBits {
			prefix := w >> 5 >> (n - fastBits)
			extra[prefix] = max(extra[prefix], n-fastBits)
		}
	}
	for prefix, n := range extra {
		if n > 0 {
			tree[prefix] = subTable | uint32(len(tree))<<5 | uint32(n)
			tree = append(tree, make(huffmanTree, 1<<n)...)
		}
	}
	for i, w := range words {
		n, code := int(w&31), w>>5
		value := uint32(i)
		if table < 32 {
			value = uint32(i/side<<4 | i%side)
		}
		at, width := 0, fastBits
		if n > fastBits {
			sub := tree[code>>(n-fastBits)]
			at, width = int(sub&^subTable>>5), int(sub&31)
			code &= 1<<(n-fastBits) - 1
			n -= fastBits
		}
		for j := range 1 << (width - n) {
			tree[at+int(code)<<(width-n)+j] = value<<5 | w&31
		}
	}
	return tree
}

// word finds the entry of the word that begins the 32 bits of v.
func (t huffmanTree) word(v uint32) uint32 {
	e := t[v>>(32-fastBits)]
	if e&subTable != 0 {
		e = t[int(e&^subTable>>5)+int(v<<fastBits>>(32-e&31))]
	}
	return e
}

// readHuffman reads the spectrum as powers 4/3 with their signs and returns how many lines are set,
// rounded up to even; the lines behind are not touched.
func (g *granule) readHuffman(b *bitReader, stop int, x *[granuleSize]float32) (int, error) {
	at := 0
	for region := range 3 {
		end := 2 * g.bigValues
		if region < 2 {
			band := g.regions[0]
			if region == 1 {
				band += g.regions[1]
			}
			end = min(end, g.bands[min(band, len(g.bands))-1].end)
		}
		if end <= at {
			continue
		}
		info := tableInfo[g.tables[region]]
		if info.words == 0 {
			clear(x[at:end])
			at = end
			continue
		}
		tree := huffmanTrees[info.words]
		if tree == nil {
			return 0, fmt.Errorf("%w: Huffman table %d", ErrFrame, g.tables[region])
		}
		if info.linbits == 0 {
			at = readPairs(b, tree, x, at, end)
		} else {
			at = readLongPairs(b, tree, info.linbits, x, at, end)
		}
		if b.pos > stop {
			return 0, fmt.Errorf("%w: spectrum overruns", ErrFrame)
		}
	}
	tree := huffmanTrees[g.count1]
	for at+4 <= granuleSize && b.pos < stop {
		v := b.peek()
		e := tree.word(v)
		n := e & 31
		quad := e >> 5
		v <<= n
		var q [4]float32
		for i := range q {
			if quad&(8>>i) != 0 {
				q[i] = 1
				if v&(1<<31) != 0 {
					q[i] = -1
				}
				v <<= 1
				n++
			}
		}
		b.pos += int(n)
		if b.pos > stop { // stuffing taken for a word
			break
		}
		copy(x[at:], q[:])
		at += 4
	}
	return at, nil
}

// readPairs reads pairs of values up to 15.
func readPairs(b *bitReader, tree huffmanTree, x *[granuleSize]float32, at, end int) int {
	for ; at+1 < end; at += 2 {
		v := b.peek()
		e := tree.word(v)
		n := e & 31
		v <<= n
		p, q := pow43[e>>9&15], pow43[e>>5&15]
		if p != 0 {
			if v&(1<<31) != 0 {
				p = -p
			}
			v <<= 1
			n++
		}
		if q != 0 {
			if v&(1<<31) != 0 {
				q = -q
			}
			n++
		}
		x[at], x[at+1] = p, q
		b.pos += int(n)
	}
	return at
}

// readLongPairs reads pairs of values of which 15 is extended by more bits.
func readLongPairs(b *bitReader, tree huffmanTree, linbits int, x *[granuleSize]float32, at, end int) int {
	for ; at+1 < end; at += 2 {
		e := tree.word(b.peek())
		b.pos += int(e & 31)
		for i, v := range [2]int{int(e >> 9 & 15), int(e >> 5 & 15)} {
			if v == 15 {
				v += b.bits(linbits)
			}
			p := pow43[v]
			if v != 0 && b.bits(1) == 1 {
				p = -p
			}
			x[at+i] = p
		}
	}
	return at
}
