// Package whisper holds what is particular to OpenAI's Whisper models (arXiv 2212.04356):
// the log-mel features they read, their byte-level vocabulary, the rules of decoding, and
// a Batch, in which windows of different audio are decoded side by side, each as if it
// were alone. It knows nothing of files, jobs or queues. Start reading at Model.
package whisper
