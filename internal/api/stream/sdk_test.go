package stream_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/transcribestreaming"
	"github.com/aws/aws-sdk-go-v2/service/transcribestreaming/types"
	"github.com/aws/smithy-go"
)

// client is the Go SDK's.
func (b *bench) client(url string, over *http.Client) *transcribestreaming.Client {
	return transcribestreaming.New(transcribestreaming.Options{
		Region: "eu-west-1", BaseEndpoint: &url, HTTPClient: over, RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return b.cred, nil }),
	})
}

func input() *transcribestreaming.StartStreamTranscriptionInput {
	return &transcribestreaming.StartStreamTranscriptionInput{
		LanguageCode: "en-US", MediaEncoding: types.MediaEncodingPcm, MediaSampleRateHertz: aws.Int32(16000),
	}
}

// transcribe sends audio in pieces of an odd size and returns all results.
func transcribe(t *testing.T, out *transcribestreaming.StartStreamTranscriptionOutput, audio []byte) []types.Result {
	t.Helper()
	stream := out.GetStream()
	defer stream.Close()
	go func() {
		for len(audio) > 0 {
			n := min(3201, len(audio))
			if stream.Send(t.Context(), &types.AudioStreamMemberAudioEvent{Value: types.AudioEvent{AudioChunk: audio[:n]}}) != nil {
				return
			}
			audio = audio[n:]
		}
		_ = stream.Writer.Close()
	}()
	var results []types.Result
	for e := range stream.Events() {
		results = append(results, e.(*types.TranscriptResultStreamMemberTranscriptEvent).Value.Transcript.Results...)
	}
	if err := stream.Err(); err != nil {
		t.Fatalf("the stream ended with %v", err)
	}
	return results
}

// texts are those of finals.
func texts(results []types.Result) (out []string) {
	for _, r := range results {
		if !r.IsPartial {
			out = append(out, aws.ToString(r.Alternatives[0].Transcript))
		}
	}
	return out
}

func TestGoSDK(t *testing.T) {
	b := newBench(t, setup{token: "session token"})
	ways := map[string]*transcribestreaming.Client{
		"HTTP/2 by ALPN":     b.client(b.tls.URL, b.tls.Client()),
		"HTTP/2 without TLS": b.client(b.plain.URL, h2c()),
	}
	for name, client := range ways {
		t.Run(name, func(t *testing.T) {
			in := input()
			in.EnablePartialResultsStabilization, in.ShowSpeakerLabel = true, true
			in.SessionId = aws.String("11111111-2222-3333-4444-555555555555")
			out, err := client.StartStreamTranscription(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			if out.LanguageCode != in.LanguageCode || out.MediaEncoding != in.MediaEncoding || *out.MediaSampleRateHertz != 16000 ||
				!out.EnablePartialResultsStabilization || !out.ShowSpeakerLabel || *out.SessionId != *in.SessionId || len(aws.ToString(out.RequestId)) != 36 {
				t.Errorf("the answer's parameters are %+v", out)
			}
			results := transcribe(t, out, silence(2.3))
			if got := strings.Join(texts(results), " "); got != "second one. second two. second three." {
				t.Errorf("finals %q", got)
			}
			ids := map[string]bool{}
			for _, r := range results {
				if ended, known := ids[*r.ResultId]; known && ended {
					t.Error("a result after its final")
				}
				ids[*r.ResultId] = !r.IsPartial
				word, mark := r.Alternatives[0].Items[0], r.Alternatives[0].Items[len(r.Alternatives[0].Items)-1]
				if word.Stable == nil || !*word.Stable || (word.Confidence == nil) != r.IsPartial || (word.Speaker == nil) != r.IsPartial {
					t.Errorf("item %+v of a result that is partial: %v", word, r.IsPartial)
				}
				if !r.IsPartial && (mark.Type != types.ItemTypePunctuation || mark.Confidence != nil || mark.StartTime != mark.EndTime || *word.Speaker != "0" && *word.Speaker != "1") {
					t.Errorf("mark %+v, speaker %v", mark, *word.Speaker)
				}
				if r.LanguageCode != "" || r.ChannelId != nil {
					t.Errorf("language %q, channel %v", r.LanguageCode, r.ChannelId)
				}
			}
		})
	}
	t.Run("a session id is made when there is none", func(t *testing.T) {
		out, err := ways["HTTP/2 by ALPN"].StartStreamTranscription(t.Context(), input())
		if err != nil || len(aws.ToString(out.SessionId)) != 36 {
			t.Fatalf("%+v, %v", out, err)
		}
		transcribe(t, out, silence(0.5))
	})
	t.Run("channels apart", func(t *testing.T) {
		in := input()
		in.EnableChannelIdentification, in.NumberOfChannels = true, aws.Int32(2)
		out, err := ways["HTTP/2 by ALPN"].StartStreamTranscription(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		count, ids := map[string]int{}, map[string]bool{}
		for _, r := range transcribe(t, out, silence(2)) { // a second of two channels
			count[*r.ChannelId]++
			ids[*r.ResultId] = true
		}
		if count["ch_0"] != 2 || count["ch_1"] != 2 || len(ids) != 2 {
			t.Errorf("results %v, %d ids", count, len(ids))
		}
	})
	t.Run("languages are told where they are identified", func(t *testing.T) {
		in := input()
		in.LanguageCode, in.IdentifyLanguage, in.LanguageOptions = "", true, aws.String("fr-CA,en-GB")
		out, err := ways["HTTP/2 by ALPN"].StartStreamTranscription(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		r := transcribe(t, out, silence(1))[0]
		if r.LanguageCode != "fr-CA" || len(r.LanguageIdentification) != 1 || r.LanguageIdentification[0].Score != 0.9 {
			t.Errorf("%+v", r)
		}
	})
	t.Run("medical", func(t *testing.T) {
		in := &transcribestreaming.StartMedicalStreamTranscriptionInput{
			LanguageCode: "en-US", MediaEncoding: types.MediaEncodingPcm, MediaSampleRateHertz: aws.Int32(16000),
			Specialty: types.SpecialtyCardiology, Type: types.TypeDictation,
		}
		out, err := ways["HTTP/2 by ALPN"].StartMedicalStreamTranscription(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if out.Specialty != in.Specialty || out.Type != in.Type || aws.ToString(out.SessionId) == "" {
			t.Errorf("the answer's parameters are %+v", out)
		}
		stream := out.GetStream()
		defer stream.Close()
		if err := stream.Send(t.Context(), &types.AudioStreamMemberAudioEvent{Value: types.AudioEvent{AudioChunk: silence(1)}}); err != nil {
			t.Fatal(err)
		}
		if err := stream.Writer.Close(); err != nil {
			t.Fatal(err)
		}
		var got []string
		for e := range stream.Events() {
			for _, r := range e.(*types.MedicalTranscriptResultStreamMemberTranscriptEvent).Value.Transcript.Results {
				got = append(got, *r.Alternatives[0].Transcript)
			}
		}
		if want := "second one|second one."; strings.Join(got, "|") != want || stream.Err() != nil {
			t.Errorf("%q, want %q (%v)", got, want, stream.Err())
		}
	})
	t.Run("errors have their types", func(t *testing.T) {
		in := input()
		in.MediaSampleRateHertz = aws.Int32(4000)
		_, err := ways["HTTP/2 by ALPN"].StartStreamTranscription(t.Context(), in)
		var bad *types.BadRequestException
		if !errors.As(err, &bad) || !strings.Contains(bad.ErrorMessage(), "1 validation error detected: Value '4000' at 'mediaSampleRateHertz'") {
			t.Errorf("got %v", err)
		}
		b.cred.SecretAccessKey = "wrong"
		defer func() { b.cred.SecretAccessKey = "secret" }()
		_, err = b.client(b.tls.URL, b.tls.Client()).StartStreamTranscription(t.Context(), input())
		var api smithy.APIError
		if !errors.As(err, &api) || api.ErrorCode() != "InvalidSignatureException" {
			t.Errorf("got %v", err)
		}
	})
}

// TestEncodings streams a second of a tone in each encoding: that it is a second is what the meter tells.
func TestEncodings(t *testing.T) {
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed")
	}
	b := newBench(t, setup{})
	client := b.client(b.tls.URL, b.tls.Client())
	for _, tt := range []struct {
		encoding types.MediaEncoding
		rate     int32
		options  string
	}{
		{types.MediaEncodingPcm, 48000, "-f s16le -ar 48000"},
		{types.MediaEncodingPcm, 8000, "-f s16le -ar 8000"},
		{types.MediaEncodingFlac, 16000, "-f flac -ar 16000"},
		{types.MediaEncodingOggOpus, 16000, "-f ogg -c:a libopus -ar 16000"},
		{"g711-alaw", 8000, "-f alaw -ar 8000"},
		{"g711-ulaw", 8000, "-f mulaw -ar 8000"},
	} {
		t.Run(string(tt.encoding), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audio")
			args := append(strings.Fields("-nostdin -v error -y -f lavfi -i sine=frequency=300:duration=1 "+tt.options), path)
			if out, err := exec.CommandContext(t.Context(), "ffmpeg", args...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			audio, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			in := input()
			in.MediaEncoding, in.MediaSampleRateHertz = tt.encoding, &tt.rate
			out, err := client.StartStreamTranscription(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			results := transcribe(t, out, audio)
			if last := results[len(results)-1]; last.EndTime < 0.99 || last.EndTime > 1.03 {
				t.Errorf("it is %v s long", last.EndTime)
			}
		})
	}
	t.Run("audio that is none", func(t *testing.T) {
		in := input()
		in.MediaEncoding = types.MediaEncodingFlac
		out, err := client.StartStreamTranscription(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		stream := out.GetStream()
		defer stream.Close()
		_ = stream.Send(t.Context(), &types.AudioStreamMemberAudioEvent{Value: types.AudioEvent{AudioChunk: make([]byte, 3200)}})
		for range stream.Events() {
			t.Error("a result")
		}
		var bad *types.BadRequestException
		if !errors.As(stream.Err(), &bad) || !strings.HasPrefix(bad.ErrorMessage(), "Could not decode the audio stream") {
			t.Errorf("got %v", stream.Err())
		}
	})
}
