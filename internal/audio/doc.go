// Package audio turns media files into PCM: container detection, decoders in Go for WAV,
// FLAC, MP3, Ogg and G.711, a confined ffmpeg for the rest, channel mixing and resampling.
// Start at Open.
package audio
