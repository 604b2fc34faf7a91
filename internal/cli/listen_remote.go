package cli

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/transcribestreaming"
	"github.com/aws/aws-sdk-go-v2/service/transcribestreaming/types"

	"github.com/dictum/dictum/internal/speech"
	"github.com/dictum/dictum/internal/transcribe/language"
)

// remote is a session at a server, through the AWS SDK: what a client of Amazon Transcribe sees.
type remote struct {
	stream *transcribestreaming.StartStreamTranscriptionEventStream
	// close is called once, by Finish or Close.
	close sync.Once

	// Of the reader.
	number  int
	current string // result id of that number
	waiting []speech.LiveResult
}

// listenAt opens a session at an endpoint, with the credentials and the authority that AWS's tools would use: of the
// environment (dictum env) or a profile.
func listenAt(ctx context.Context, endpoint string, asked speech.LiveSettings) (speech.Listener, error) {
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		if strings.HasPrefix(endpoint, "http://") {
			t.Protocols = new(http.Protocols)
			t.Protocols.SetUnencryptedHTTP2(true)
		}
	})
	loaded, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(client), config.WithDefaultRegion("us-east-1"))
	if err != nil {
		return nil, fmt.Errorf("read AWS configuration: %w", err)
	}
	in := &transcribestreaming.StartStreamTranscriptionInput{
		MediaEncoding: types.MediaEncodingPcm, MediaSampleRateHertz: aws.Int32(speech.SampleRate),
		ShowSpeakerLabel: asked.MaxSpeakers > 0,
	}
	var options []string
	for _, l := range asked.LanguageCandidates {
		options = append(options, language.Code(l, nil))
	}
	if len(options) > 0 {
		in.LanguageOptions = aws.String(strings.Join(options, ","))
	}
	switch {
	case asked.Language != "":
		in.LanguageCode = types.LanguageCode(language.Code(asked.Language, nil))
	case asked.MultipleLanguages:
		in.IdentifyMultipleLanguages = true
	default:
		in.IdentifyLanguage = true
	}
	out, err := transcribestreaming.NewFromConfig(loaded, func(o *transcribestreaming.Options) { o.BaseEndpoint = &endpoint }).
		StartStreamTranscription(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("listen at %s: %w", endpoint, err)
	}
	return &remote{stream: out.GetStream()}, nil
}

// Write implements speech.Listener.
func (r *remote) Write(ctx context.Context, samples []float32) error {
	chunk := make([]byte, 0, 2*len(samples))
	for _, s := range samples {
		chunk = binary.LittleEndian.AppendUint16(chunk, uint16(int16(max(-1, min(1, s))*32767)))
	}
	event := &types.AudioStreamMemberAudioEvent{Value: types.AudioEvent{AudioChunk: chunk}}
	if err := r.stream.Send(ctx, event); err != nil {
		if ended := r.stream.Err(); ended != nil {
			err = ended // why the server does not listen any more
		}
		return fmt.Errorf("send audio: %w", err)
	}
	return nil
}

// Finish implements speech.Listener.
func (r *remote) Finish() error {
	if err := r.stream.Writer.Close(); err != nil {
		return fmt.Errorf("end audio: %w", err)
	}
	return nil
}

// Next implements speech.Listener.
func (r *remote) Next(ctx context.Context) (speech.LiveResult, error) {
	for len(r.waiting) == 0 {
		select {
		case event, ok := <-r.stream.Events():
			if !ok {
				if err := r.stream.Err(); err != nil {
					return speech.LiveResult{}, fmt.Errorf("receive results: %w", err)
				}
				return speech.LiveResult{}, io.EOF
			}
			if e, ok := event.(*types.TranscriptResultStreamMemberTranscriptEvent); ok && e.Value.Transcript != nil {
				for _, result := range e.Value.Transcript.Results {
					r.waiting = append(r.waiting, r.result(result))
				}
			}
		case <-ctx.Done():
			return speech.LiveResult{}, ctx.Err()
		}
	}
	next := r.waiting[0]
	r.waiting = r.waiting[1:]
	return next, nil
}

// Close implements speech.Listener.
func (r *remote) Close() error {
	var err error
	r.close.Do(func() { err = r.stream.Close() })
	if errors.Is(err, io.ErrClosedPipe) { // the audio had ended
		return nil
	}
	return err
}

// result reads one of the wire.
func (r *remote) result(from types.Result) speech.LiveResult {
	if id := aws.ToString(from.ResultId); id != r.current {
		r.number, r.current = r.number+1, id
	}
	out := speech.LiveResult{Number: r.number, Partial: from.IsPartial}
	out.Segment = speech.Segment{Start: seconds(from.StartTime), End: seconds(from.EndTime), Language: string(from.LanguageCode)}
	if len(from.Alternatives) == 0 {
		return out
	}
	rest := aws.ToString(from.Alternatives[0].Transcript)
	for _, item := range from.Alternatives[0].Items {
		i := speech.Item{Text: aws.ToString(item.Content), Start: seconds(item.StartTime), End: seconds(item.EndTime), Confidence: aws.ToFloat64(item.Confidence)}
		if item.Type == types.ItemTypePunctuation {
			i.Kind = speech.Punctuation
		}
		_, after, found := strings.Cut(rest, i.Text)
		if found {
			i.NoSpaceBefore, rest = !strings.HasPrefix(rest, " "), after
		}
		if n, err := strconv.Atoi(aws.ToString(item.Speaker)); err == nil && out.Segment.Speaker == 0 {
			out.Segment.Speaker = n + 1
		}
		out.Segment.Items = append(out.Segment.Items, i)
	}
	return out
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
