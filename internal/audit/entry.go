package audit

import (
	"encoding/binary"
	"errors"
	"time"
)

// The body of a record's frame is
//
//	time of recording, Unix nanoseconds i64 · flags u8 · account u8+bytes · region u8+bytes · JSON
//
// so that readers can pass over what they do not look for without parsing JSON.

const flagData = 1

func (e entry) body() []byte {
	b := make([]byte, 0, 8+1+1+len(e.account)+1+len(e.region)+len(e.document))
	b = binary.BigEndian.AppendUint64(b, uint64(e.recorded.UnixNano()))
	var flags byte
	if e.data {
		flags |= flagData
	}
	b = append(b, flags, byte(len(e.account)))
	b = append(b, e.account...)
	b = append(b, byte(len(e.region)))
	b = append(b, e.region...)
	return append(b, e.document...)
}

var errEntry = errors.New("malformed record")

// parseEntry reads a record's body; the document shares its bytes.
func parseEntry(b []byte) (entry, error) {
	if len(b) < 10 {
		return entry{}, errEntry
	}
	e := entry{recorded: time.Unix(0, int64(binary.BigEndian.Uint64(b))).UTC(), data: b[8]&flagData != 0}
	rest := b[9:]
	for _, field := range []*string{&e.account, &e.region} {
		if len(rest) < 1 || len(rest) < 1+int(rest[0]) {
			return entry{}, errEntry
		}
		*field = string(rest[1 : 1+int(rest[0])])
		rest = rest[1+int(rest[0]):]
	}
	e.document = rest
	return e, nil
}
