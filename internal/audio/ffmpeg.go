package audio

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// What the ffmpeg child may use. The figures leave room for a four-hour file on a slow machine.
const (
	// probeTimeout bounds the time ffprobe takes to find the streams.
	probeTimeout = 60 * time.Second
	// stallTimeout bounds how long ffmpeg may decode without any output while we wait for it.
	stallTimeout = 60 * time.Second
	// childCPU is its processor time.
	childCPU = 30 * time.Minute
	// childMemory is its address space in bytes. Measured: 180 MB for AAC in MP4.
	childMemory = 2 << 30
	// childFiles is how many files it may have open.
	childFiles = 32
	// maxStderr is how much of its messages is kept, in bytes: the last ones.
	maxStderr = 4 << 10
	// maxProbe bounds what ffprobe may print, in bytes.
	maxProbe = 256 << 10
)

// allowedCodecs are the decoders that ffmpeg may use: what the service's formats carry, and no other
// of its several hundred. ffprobe opens a decoder for every stream, pictures too, and gives up where
// it may not; so there the list does not hold, but nothing is decoded where there may be pictures.
const allowedCodecs = "aac,aac_latm,mp3,mp3float,mp2,mp2float,mp1,mp1float,alac,flac,opus,libopus,vorbis,libvorbis,speex,libspeex," +
	"amrnb,amrwb,libopencore_amrnb,libopencore_amrwb,ac3,eac3,gsm_ms,adpcm_ms,adpcm_ima_wav,adpcm_ima_qt,adpcm_yamaha,adpcm_g726," +
	"pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,pcm_f32le,pcm_f32be,pcm_f64le,pcm_f64be,pcm_u8,pcm_s8,pcm_mulaw,pcm_alaw"

// openFFmpeg decodes a container by a confined ffmpeg. The media is handed over in a sealed
// memory file, because MP4 needs seeking, nothing may be written to disk, and nobody can change
// it between the looks of ffprobe and of ffmpeg. demuxer is forced: content never chooses it.
func openFFmpeg(format Format, demuxer string) func(context.Context, *contextReader, Options) (decoder, error) {
	return func(ctx context.Context, in *contextReader, opts Options) (decoder, error) {
		if _, err := in.Seek(0, io.SeekStart); err != nil {
			return nil, fmt.Errorf("seek media: %w", err)
		}
		return startFFmpeg(ctx, format, demuxer, in, opts)
	}
}

// startFFmpeg has media of a format decoded: src, which is the file or what is left of it.
func startFFmpeg(ctx context.Context, format Format, demuxer string, src io.Reader, opts Options) (decoder, error) {
	tools, err := findFFmpeg(opts.FFmpeg, format)
	if err != nil {
		return nil, err
	}
	media, err := sealedCopy(src)
	if err != nil {
		return nil, fmt.Errorf("hand %s over to ffmpeg: %w", format, err)
	}
	d := &ffmpegDecoder{ctx: ctx, tools: tools, demuxer: demuxer, media: media}
	if d.facts, d.stream, err = d.probe(); err != nil {
		_ = d.close()
		return nil, err
	}
	d.facts.Format = format
	if err := d.start(); err != nil {
		_ = d.close()
		return nil, err
	}
	return d, nil
}

// ffmpegTools are the paths of the two programs.
type ffmpegTools struct{ ffmpeg, ffprobe string }

func findFFmpeg(path string, format Format) (ffmpegTools, error) {
	missing := func(err error) (ffmpegTools, error) {
		return ffmpegTools{}, fmt.Errorf("decode %s: %w: %w; install it (Debian, Ubuntu: apt-get install ffmpeg) or name its path", format, ErrNoFFmpeg, err)
	}
	if path == "" {
		path = "ffmpeg"
	}
	ffmpeg, err := exec.LookPath(path)
	if err != nil {
		return missing(err)
	}
	ffprobe, err := exec.LookPath(filepath.Join(filepath.Dir(ffmpeg), "ffprobe"))
	if err != nil {
		return missing(err)
	}
	return ffmpegTools{ffmpeg, ffprobe}, nil
}

// ffmpegDecoder reads samples from an ffmpeg child.
type ffmpegDecoder struct {
	ctx     context.Context
	tools   ffmpegTools
	demuxer string
	media   *os.File
	facts   Info
	stream  int // index of the audio stream

	child  *child
	r      *bufio.Reader
	raw    []byte
	closed sync.Once
	some   bool // some samples came
}

// inputArgs come before the input in both programs: file is the protocol that opens the memory
// file by its descriptor, and the only one.
func (d *ffmpegDecoder) inputArgs() []string {
	args := []string{"-hide_banner", "-protocol_whitelist", "file", "-format_whitelist", d.formats(), "-f", d.demuxer}
	if d.demuxer == "mov" || d.demuxer == "matroska" {
		// Their headers say it all: do not decode pictures to find out about them.
		args = append(args, "-nofind_stream_info")
	}
	return args
}

// formats is the demuxer's name as -format_whitelist wants it: with all of its aliases.
func (d *ffmpegDecoder) formats() string {
	switch d.demuxer {
	case "mov":
		return "mov,mp4,m4a,3gp,3g2,mj2"
	case "matroska":
		return "matroska,webm"
	default:
		return d.demuxer
	}
}

// childInput is the memory file in the child, where it is descriptor 3.
const childInput = "/proc/self/fd/3"

// probe asks ffprobe for the first audio stream.
func (d *ffmpegDecoder) probe() (Info, int, error) {
	ctx, cancel := context.WithTimeout(d.ctx, probeTimeout)
	defer cancel()
	args := append([]string{"-v", "error"}, d.inputArgs()...)
	args = append(args, "-select_streams", "a", "-of", "json",
		"-show_entries", "stream=index,codec_name,sample_rate,channels,duration:format=duration", "-i", childInput)
	c, err := startChild(ctx, d.tools.ffprobe, args, d.media)
	if err != nil {
		return Info{}, 0, err
	}
	out, err := io.ReadAll(io.LimitReader(c.stdout, maxProbe))
	if len(out) == maxProbe {
		c.kill()
	}
	if werr := c.stop(); err == nil {
		err = werr
	}
	if cerr := d.ctx.Err(); cerr != nil {
		return Info{}, 0, fmt.Errorf("probe media: %w", cerr)
	}
	if err != nil {
		return Info{}, 0, fmt.Errorf("probe media: %w: %w: %s", ErrInvalid, err, c.messages())
	}
	return parseProbe(out)
}

// parseProbe reads ffprobe's JSON.
func parseProbe(out []byte) (Info, int, error) {
	var found struct {
		Streams []struct {
			Index      int    `json:"index"`
			CodecName  string `json:"codec_name"`
			SampleRate string `json:"sample_rate"`
			Channels   int    `json:"channels"`
			Duration   string `json:"duration"`
		} `json:"streams"`
		Format struct {
			Duration string `json:"duration"`
		} `json:"format"`
	}
	if err := json.Unmarshal(out, &found); err != nil {
		return Info{}, 0, fmt.Errorf("read ffprobe's answer: %w", err)
	}
	if len(found.Streams) == 0 {
		return Info{}, 0, fmt.Errorf("the media has no audio stream: %w", ErrUnsupported)
	}
	s := found.Streams[0]
	if s.CodecName == "" {
		return Info{}, 0, fmt.Errorf("the media has an unknown audio codec: %w", ErrUnsupported)
	}
	rate, err := strconv.Atoi(s.SampleRate)
	if err != nil || rate < 1 || rate > maxSampleRate || s.Channels < 1 || s.Channels > maxChannels {
		return Info{}, 0, fmt.Errorf("%s at %q Hz with %d channels: %w", s.CodecName, s.SampleRate, s.Channels, ErrInvalid)
	}
	info := Info{Codec: s.CodecName, SampleRate: rate, Channels: s.Channels}
	for _, text := range []string{s.Duration, found.Format.Duration} {
		if v, err := strconv.ParseFloat(text, 64); err == nil && v > 0 && !math.IsInf(v, 0) {
			info.Duration = time.Duration(math.Min(v, 1e9) * float64(time.Second))
			break
		}
	}
	return info, s.Index, nil
}

// start runs ffmpeg. It gives floats at the file's own rate, so that only one resampler, ours,
// decides how a transcript comes out.
func (d *ffmpegDecoder) start() error {
	args := append([]string{"-nostdin", "-nostats", "-v", "error", "-threads", "1"}, d.inputArgs()...)
	args = append(args, "-codec_whitelist", allowedCodecs, "-vn", "-sn", "-dn", "-i", childInput,
		"-map", "0:"+strconv.Itoa(d.stream), "-vn", "-sn", "-dn", "-map_metadata", "-1", "-threads", "1",
		// Gaps between time stamps, as browsers leave them in WebM, become silence: times stay right.
		"-af", "aresample=async=1:first_pts=0", "-c:a", "pcm_f32le", "-ar", strconv.Itoa(d.facts.SampleRate), "-ac", strconv.Itoa(d.facts.Channels),
		"-f", "f32le", "pipe:1")
	c, err := startChild(d.ctx, d.tools.ffmpeg, args, d.media)
	if err != nil {
		return err
	}
	d.child, d.r = c, bufio.NewReaderSize(c.stdout, readBuffer)
	return nil
}

func (d *ffmpegDecoder) info() Info { return d.facts }

func (d *ffmpegDecoder) decode(dst []float32) (int, error) {
	if cap(d.raw) < 4*len(dst) {
		d.raw = make([]byte, 4*len(dst))
	}
	if err := d.child.stdout.SetReadDeadline(time.Now().Add(stallTimeout)); err != nil {
		return 0, fmt.Errorf("read from ffmpeg: %w", err)
	}
	got, err := io.ReadFull(d.r, d.raw[:4*len(dst)])
	if cerr := d.ctx.Err(); cerr != nil {
		return 0, fmt.Errorf("read from ffmpeg: %w", cerr)
	}
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, fmt.Errorf("read from ffmpeg: %w: %w: %s", ErrInvalid, err, d.child.messages())
	}
	n := got / 4
	n -= n % d.facts.Channels
	if n > 0 {
		d.some = true
		convertF32(dst[:n], d.raw)
		return n, nil
	}
	// The end, or ffmpeg gave up. Like a player, take what came before damage for the audio; but
	// not where ffmpeg was stopped by a limit or a crash.
	err = d.child.stop()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() && d.some {
		return 0, io.EOF
	}
	if err != nil {
		return 0, fmt.Errorf("decode by ffmpeg: %w: %w: %s", ErrInvalid, err, d.child.messages())
	}
	if !d.some {
		return 0, fmt.Errorf("ffmpeg found no audio: %w: %s", ErrInvalid, d.child.messages())
	}
	return 0, io.EOF
}

func (d *ffmpegDecoder) close() error {
	var err error
	d.closed.Do(func() {
		if d.child != nil {
			d.child.kill()
		}
		err = d.media.Close()
	})
	return err
}

// tailBuffer keeps the last bytes written to it.
type tailBuffer struct {
	mu  sync.Mutex // guards buf
	buf []byte
}

func (t *tailBuffer) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - maxStderr; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

// String gives the last line or so: enough to act on, and little of what a file may have put there.
func (t *tailBuffer) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := bytes.Split(bytes.TrimSpace(t.buf), []byte("\n"))
	last := bytes.ReplaceAll(lines[len(lines)-1], []byte(childInput), []byte("media"))
	if len(last) > 200 {
		last = last[:200]
	}
	return string(bytes.ToValidUTF8(last, []byte("?")))
}
