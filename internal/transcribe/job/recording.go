package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/dictum/dictum/internal/audio"
	"github.com/dictum/dictum/internal/objects"
	"github.com/dictum/dictum/internal/speech"
)

// recording is the media of an attempt that is being recognised.
type recording struct {
	attempt  *attempt
	media    objects.Reader
	detected Detected
	// mix is the mix of all channels, already opened, when that is what is recognised.
	mix *audio.Stream
	// channels is how many channels are recognised apart; zero for their mix.
	channels int
}

// recording opens the media and checks what it is. The caller closes what it returns, also beside an error.
func (a *attempt) recording(ctx context.Context, media objects.Reader) (*recording, error) {
	r := &recording{attempt: a, media: media}
	stream, err := r.open(ctx, 0)
	if err != nil {
		return r, err
	}
	r.mix = stream
	info := stream.Info()
	r.detected, err = checkMedia(a.claim.Job, info)
	if isTrue(settings(&a.claim.Job.Request).ChannelIdentification) {
		r.channels = info.Channels
		r.close()
	}
	return r, err
}

// close frees what decoding holds.
func (r *recording) close() {
	if r.mix != nil {
		_ = r.mix.Close()
		r.mix = nil
	}
}

// open begins to read the media: a channel, from 1, or the mix of all.
func (r *recording) open(ctx context.Context, channel int) (*audio.Stream, error) {
	if _, err := r.media.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("open media: %w", err)
	}
	options := r.attempt.pool.cfg.Audio
	options.Channel = channel
	stream, err := audio.Open(ctx, r.media, options)
	if err != nil {
		return nil, mediaError("open media", err)
	}
	return stream, nil
}

// recognise returns what was said. Too little speech to tell the language is a failure of the job.
func (r *recording) recognise(ctx context.Context) (speech.Transcript, error) {
	set := r.settings()
	if r.channels > 0 {
		return r.apart(ctx, set)
	}
	a := r.attempt
	t, err := r.run(ctx, 0, set, func(p speech.Progress) {
		if a.claim.Job.Identifies() && p.Language.Language != "" && a.found.Load() == nil {
			found := p.Language
			a.found.Store(&found)
			a.moved <- struct{}{} // has room: sent once
		}
	})
	if errors.Is(err, speech.ErrTooLittleSpeech) {
		return t, failLanguage.as()
	}
	return t, err
}

// settings are what the job asks of the recogniser.
func (r *recording) settings() speech.Settings {
	j := r.attempt.claim.Job
	set := speech.Settings{Language: j.recogniserLanguage(), Priority: speech.PriorityBatch}
	if set.MultipleLanguages = j.IdentifiesSeveral(); set.Language == "" {
		set.LanguageCandidates = r.attempt.pool.cfg.Languages.Candidates(j.Request.LanguageOptions)
	}
	s := settings(&j.Request)
	if isTrue(s.ShowSpeakerLabels) {
		set.MaxSpeakers = int(*s.MaxSpeakerLabels)
	}
	if isTrue(s.ShowAlternatives) {
		set.MaxAlternatives = int(*s.MaxAlternatives)
	}
	return set
}

// apart recognises the channels one after another. Where their language is to be identified, it is that of the
// channel with most speech, for all: the others are recognised again if they were taken for something else.
func (r *recording) apart(ctx context.Context, set speech.Settings) (speech.Transcript, error) {
	channels := make([]speech.Transcript, r.channels)
	silent := make([]bool, r.channels)
	most := -1
	for i := range channels {
		var err error
		channels[i], err = r.run(ctx, i+1, set, func(speech.Progress) {})
		if errors.Is(err, speech.ErrTooLittleSpeech) {
			silent[i] = true
			continue
		}
		if err != nil {
			return speech.Transcript{}, err
		}
		if most < 0 || channels[i].Speech > channels[most].Speech {
			most = i
		}
	}
	if most < 0 {
		return speech.Transcript{}, failLanguage.as()
	}
	language := channels[most].Language
	for i := range channels {
		if !silent[i] && (channels[i].Language == language || set.MultipleLanguages) {
			continue
		}
		told := set
		told.Language, told.LanguageCandidates, told.MultipleLanguages = language, nil, false
		var err error
		if channels[i], err = r.run(ctx, i+1, told, func(speech.Progress) {}); err != nil {
			return speech.Transcript{}, err
		}
	}
	return speech.MergeChannels(channels...), nil
}

// run recognises a channel, or the mix. It returns speech.ErrTooLittleSpeech as it is, a *Failure for bad media,
// and the cause when the context has ended.
func (r *recording) run(ctx context.Context, channel int, set speech.Settings, progress func(speech.Progress)) (speech.Transcript, error) {
	a := r.attempt
	stream := r.mix
	if channel > 0 {
		var err error
		if stream, err = r.open(ctx, channel); err != nil {
			return speech.Transcript{}, err
		}
		defer func() { _ = stream.Close() }()
	}
	reader := &meter{ctx: ctx, src: stream, touch: a.touch}
	t, err := a.pool.cfg.Recognizer.Recognize(ctx, reader, set, func(p speech.Progress) {
		a.touch()
		a.pool.cfg.Observer.Progressed(a.claim.Job, p.Position)
		progress(p)
	})
	switch {
	case ctx.Err() != nil:
		return t, context.Cause(ctx)
	case reader.err != nil:
		// What is wrong with the media explains whatever the recogniser made of it.
		return t, mediaError("decode media", reader.err)
	case err != nil:
		return t, fmt.Errorf("recognise: %w", err)
	}
	return t, nil
}

// checkMedia compares what the media is with what may be and what the request says it is.
func checkMedia(j Job, info audio.Info) (Detected, error) {
	rate := info.SampleRate
	if info.SourceSampleRate > 0 {
		rate = info.SourceSampleRate
	}
	d := Detected{MediaFormat: string(info.Format), SampleRate: rate}
	given := j.Request.MediaSampleRateHertz
	switch {
	case j.Request.MediaFormat != nil && !info.Format.Matches(audio.Format(*j.Request.MediaFormat)):
		return d, failFormatDiffer.as()
	case rate < minRate || rate > maxRate:
		return d, failRate.as()
	case given != nil && int(*given) != info.SampleRate && int(*given) != rate:
		return d, failRateDiffer.as()
	case info.Channels > maxChannels:
		return d, failChannels.as()
	case info.Duration > maxDuration:
		return d, failLong.as()
	}
	if j.Request.MediaFormat != nil {
		d.MediaFormat = *j.Request.MediaFormat // mp4 and m4a are both right for the same file
	}
	return d, nil
}

// meter counts the audio that passes and holds it to the limits of duration, which a container may
// not state or state wrongly. It ends with the context.
type meter struct {
	ctx   context.Context
	src   speech.SampleReader
	touch func()
	read  int64
	// err is the first error that was not the end of the audio.
	err error
}

// ReadSamples implements speech.SampleReader.
func (m *meter) ReadSamples(dst []float32) (int, error) {
	if err := m.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := m.src.ReadSamples(dst)
	m.read += int64(n)
	m.touch()
	length := time.Duration(m.read) * time.Second / speech.SampleRate
	switch {
	case length > maxDuration:
		err = failLong.as()
	case errors.Is(err, io.EOF) && length < minDuration:
		err = failShort.as()
	}
	if err != nil && !errors.Is(err, io.EOF) && m.ctx.Err() == nil {
		m.err = err
	}
	return n, err
}
