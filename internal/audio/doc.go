// Package audio turns media files into PCM: container detection by content, decoders in Go
// for WAV, FLAC, MP3 and Ogg/Opus, a confined ffmpeg for the rest, channel mixing and
// resampling. It works in constant memory: nothing of it grows with the length of a file,
// except the sealed memory file that a container for ffmpeg is handed over in.
//
// What is not here: voice activity, limits of the service (rates, lengths, channels: Info
// states the facts, the transcribe domain judges them) and live audio.
//
// Start at Open.
package audio
