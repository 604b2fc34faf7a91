package audio

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/dictum/dictum/internal/audio/mp3"
)

// Format is a container, by the name that Amazon Transcribe's MediaFormat has for it.
type Format string

// The formats of MediaFormat.
const (
	MP3  Format = "mp3"
	MP4  Format = "mp4"
	WAV  Format = "wav"
	FLAC Format = "flac"
	Ogg  Format = "ogg"
	AMR  Format = "amr"
	WebM Format = "webm"
	M4A  Format = "m4a"
)

// Matches tells whether media of this format may be declared as the other one. M4A is MP4
// with a different name and, often but not always, a different brand inside (ISO/IEC 14496-12
// §4.3), so either name fits both.
func (f Format) Matches(declared Format) bool {
	isMP4 := func(f Format) bool { return f == MP4 || f == M4A }
	return f == declared || isMP4(f) && isMP4(declared)
}

// container is what detection found: the format and how to open it.
type container struct {
	format Format
	open   func(context.Context, *contextReader, Options) (decoder, error)
}

// headSize is how many bytes of the start of a file detection looks at.
const headSize = 16 << 10

// detect names the container from the first bytes of the content. What an ID3 tag precedes is
// judged by what follows the tag.
func detect(in *contextReader) (container, error) {
	head, err := readAt(in, 0, headSize)
	if err != nil {
		return container{}, fmt.Errorf("read the start of the media: %w", err)
	}
	start := id3Size(head)
	if start > 0 {
		if head, err = readAt(in, start, headSize); err != nil {
			return container{}, fmt.Errorf("read behind the ID3 tag: %w", err)
		}
	}
	format := sniff(head, start > 0)
	switch format {
	case WAV:
		return container{WAV, openWAV}, nil
	case FLAC:
		return container{FLAC, openFLACAt(start)}, nil
	case MP3:
		return container{MP3, openMP3}, nil
	case Ogg:
		return container{Ogg, openOgg}, nil
	case AMR:
		return container{AMR, openAMR}, nil
	case WebM:
		return container{WebM, openFFmpeg(WebM, "matroska")}, nil
	case MP4, M4A:
		return container{format, openFFmpeg(format, "mov")}, nil
	}
	if len(head) == 0 && start == 0 {
		return container{}, fmt.Errorf("the media is empty: %w", ErrUnsupported)
	}
	return container{}, fmt.Errorf("no known audio container: %w", ErrUnsupported)
}

// sniff names the container that begins with head, or returns "".
func sniff(head []byte, tagged bool) Format {
	has := func(at int, magic string) bool {
		return len(head) >= at+len(magic) && string(head[at:at+len(magic)]) == magic
	}
	switch {
	case (has(0, "RIFF") || has(0, "RF64") || has(0, "BW64")) && has(8, "WAVE"):
		return WAV
	case has(0, "fLaC"):
		return FLAC
	case has(0, "OggS"):
		return Ogg
	case has(0, "#!AMR\n"), has(0, "#!AMR-WB\n"):
		return AMR
	case has(0, "\x1a\x45\xdf\xa3"):
		if ebmlDocType(head) == "webm" {
			return WebM
		}
		return ""
	case has(4, "ftyp"):
		return mp4Brand(head)
	case has(4, "moov"), has(4, "mdat"), has(4, "wide"):
		return MP4 // QuickTime and streams from before brands
	case looksMP3(head, tagged):
		return MP3
	}
	return ""
}

// mp4Brand tells M4A from MP4 by the major brand. Still pictures wear the same box and are neither.
func mp4Brand(head []byte) Format {
	if len(head) < 12 {
		return MP4
	}
	switch brand := string(head[8:12]); brand {
	case "M4A ", "M4B ", "M4P ":
		return M4A
	case "avif", "avis", "heic", "heix", "heim", "heis", "hevc", "mif1", "msf1", "crx ", "jpeg":
		return ""
	default:
		return MP4
	}
}

// ebmlDocType finds the DocType element of an EBML header (RFC 8794 §11.2.4).
func ebmlDocType(head []byte) string {
	if len(head) < 5 {
		return ""
	}
	size, n := ebmlVint(head[4:])
	if n == 0 {
		return ""
	}
	body := head[4+n:]
	if size < uint64(len(body)) {
		body = body[:size]
	}
	for len(body) > 2 {
		id := 1
		for id <= 4 && body[0]&(0x80>>(id-1)) == 0 {
			id++
		}
		if id > 4 || len(body) <= id {
			return ""
		}
		size, n := ebmlVint(body[id:])
		rest := body[id+n:]
		if n == 0 || size > uint64(len(rest)) {
			return ""
		}
		if id == 2 && body[0] == 0x42 && body[1] == 0x82 {
			return string(bytes.TrimRight(rest[:size], "\x00"))
		}
		body = rest[size:]
	}
	return ""
}

// ebmlVint reads a variable-size integer and its length in bytes, 0 when it is cut or malformed.
func ebmlVint(b []byte) (value uint64, size int) {
	if len(b) == 0 || b[0] == 0 {
		return 0, 0
	}
	size = 1
	for b[0]&(0x80>>(size-1)) == 0 {
		size++
	}
	if len(b) < size {
		return 0, 0
	}
	value = uint64(b[0]) & (0xff >> size)
	for _, c := range b[1:size] {
		value = value<<8 | uint64(c)
	}
	return value, size
}

// id3Size is the length of the ID3v2 tag at the start of head, 0 when there is none (ID3v2.4 §3.1).
func id3Size(head []byte) int64 {
	if len(head) < 10 || string(head[:3]) != "ID3" || (head[6]|head[7]|head[8]|head[9])&0x80 != 0 {
		return 0
	}
	size := int64(head[6])<<21 | int64(head[7])<<14 | int64(head[8])<<7 | int64(head[9])
	const footer = 0x10
	if head[5]&footer != 0 {
		size += 10
	}
	return size + 10
}

// otherMedia begin files that may carry MP3 frames inside, or bytes that look like some.
var otherMedia = []string{
	"PK", "\xff\xd8", "\x89PNG", "GIF8", "%PDF", "BM", "\x1f\x8b", "7z\xbc\xaf", "Rar!", "\x7fELF", "MZ",
	"FORM", "caff", "RIFF", "<", "{", "\x30\x26\xb2\x75", "FLV",
}

// looksMP3 tells whether an MPEG audio stream begins within head. Streams that were cut out of a
// broadcast begin in the middle of a frame, so the first whole frame may come late; then three in
// a row are asked for, since two bytes that look like a header are common in any data.
func looksMP3(head []byte, tagged bool) bool {
	for _, magic := range otherMedia {
		if bytes.HasPrefix(head, []byte(magic)) {
			return false
		}
	}
	padding := len(head) - len(bytes.TrimLeft(head, "\x00"))
	const maxJunk = 4096
	last := min(len(head), padding+maxJunk)
	for at := padding; at < last; at++ {
		if n := frameRun(head[at:]); n >= 3 || n >= 1 && (at == padding || tagged && at == 0) {
			return true
		}
	}
	return false
}

// frameRun counts the MPEG audio frames that follow each other from the start of b, up to 3. A
// frame that b ends in counts when it is not the first.
func frameRun(b []byte) int {
	first, ok := mp3.ParseHeader(b)
	if !ok {
		return 0
	}
	whole := first.Size
	for n := 1; n < 3; n++ {
		if len(b) < whole+4 {
			// The file, or what is seen of it, ends here: accept one frame only when it is whole.
			if len(b) < whole {
				return n - 1
			}
			return n
		}
		next, ok := mp3.ParseHeader(b[whole:])
		if !ok || !next.Follows(first) {
			// A tag may end a file of one frame; anything else is not MPEG audio.
			if n == 1 && !bytes.HasPrefix(b[whole:], []byte("TAG")) && !bytes.HasPrefix(b[whole:], []byte("APE")) {
				return 0
			}
			return n
		}
		whole += next.Size
	}
	return 3
}

// readAt reads up to n bytes at an offset; fewer at the end of the file is no error.
func readAt(in *contextReader, offset int64, n int) ([]byte, error) {
	if _, err := in.Seek(offset, io.SeekStart); err != nil {
		return nil, err
	}
	b := make([]byte, n)
	n, err := io.ReadFull(in, b)
	if in.err != nil { // the storage's, which may look like the end of a short file
		return nil, in.err
	}
	if err != nil && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	return b[:n], nil
}

var (
	le = binary.LittleEndian
	be = binary.BigEndian
)
