package ortformat

import "encoding/binary"

// reader walks a FlatBuffers buffer (flatbuffers.dev/internals). Every offset in it comes
// from outside and is checked before it is followed; the first that leads out of the
// buffer sets failed, and from then on everything reads as empty. The module of
// FlatBuffers itself panics there, and needs generated code for what takes a page here.
type reader struct {
	data   []byte
	failed bool
	// budget bounds the elements that are visited: vectors may overlap, so a small hostile
	// file could otherwise describe a huge graph.
	budget int
}

// table is the place of a table; 0 is a table without fields.
type table int

func (r *reader) u16(at int) int {
	if at < 0 || at > len(r.data)-2 {
		r.failed = true
		return 0
	}
	return int(binary.LittleEndian.Uint16(r.data[at:]))
}

func (r *reader) u32(at int) int {
	if at < 0 || at > len(r.data)-4 {
		r.failed = true
		return 0
	}
	return int(binary.LittleEndian.Uint32(r.data[at:]))
}

func (r *reader) i64(at int) int64 {
	if at < 0 || at > len(r.data)-8 {
		r.failed = true
		return 0
	}
	return int64(binary.LittleEndian.Uint64(r.data[at:]))
}

// follow reads the offset at a place, which counts from that place.
func (r *reader) follow(at int) int {
	to := at + r.u32(at)
	if to <= at || to >= len(r.data) {
		r.failed = true
		return 0
	}
	return to
}

// field is the place of a table's field, 0 when the table does not have it.
func (r *reader) field(t table, number int) int {
	if t == 0 || r.failed {
		return 0
	}
	// The offset to the table of fields is signed and counts backwards.
	fields := int(t) - int(int32(r.u32(int(t))))
	slot := 4 + 2*number
	if r.failed || fields < 0 || slot >= r.u16(fields) {
		return 0
	}
	if offset := r.u16(fields + slot); offset != 0 {
		return int(t) + offset
	}
	return 0
}

// table is the table that a field points to.
func (r *reader) table(t table, number int) table {
	if at := r.field(t, number); at != 0 {
		return table(r.follow(at))
	}
	return 0
}

// vector is the place of the first element of a field's vector, and how many there are,
// each of size bytes.
func (r *reader) vector(t table, number, size int) (first, count int) {
	at := r.field(t, number)
	if at == 0 {
		return 0, 0
	}
	at = r.follow(at)
	count = r.u32(at)
	if r.failed || count > (len(r.data)-at-4)/size {
		r.failed = true
		return 0, 0
	}
	return at + 4, count
}

// tables are the tables that a field's vector points to.
func (r *reader) tables(t table, number int) []table {
	first, count := r.vector(t, number, 4)
	if r.budget -= count; r.budget < 0 {
		r.failed = true
	}
	if r.failed {
		return nil
	}
	ts := make([]table, count)
	for i := range ts {
		ts[i] = table(r.follow(first + 4*i))
	}
	return ts
}

// bytes is the contents of a field that holds bytes or a string, in the buffer itself.
func (r *reader) bytes(t table, number int) []byte {
	first, count := r.vector(t, number, 1)
	return r.data[first : first+count]
}

func (r *reader) text(t table, number int) string { return string(r.bytes(t, number)) }

// texts are the strings that a field's vector points to.
func (r *reader) texts(t table, number int) []string {
	first, count := r.vector(t, number, 4)
	if r.budget -= count; r.budget < 0 {
		r.failed = true
	}
	if r.failed {
		return nil
	}
	ss := make([]string, 0, count)
	for i := range count {
		at := r.follow(first + 4*i)
		n := r.u32(at)
		if r.budget -= n; r.failed || n > len(r.data)-at-4 || r.budget < 0 {
			r.failed = true
			return nil
		}
		ss = append(ss, string(r.data[at+4:at+4+n]))
	}
	return ss
}

// ints are a field's 64-bit integers.
func (r *reader) ints(t table, number int) []int {
	first, count := r.vector(t, number, 8)
	if r.budget -= count; r.budget < 0 {
		r.failed = true
	}
	if r.failed {
		return nil
	}
	ns := make([]int, count)
	for i := range ns {
		ns[i] = int(r.i64(first + 8*i))
	}
	return ns
}
