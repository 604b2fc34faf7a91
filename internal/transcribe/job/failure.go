package job

// Failure is why a job failed: one of AWS's reasons (spec transcribe-batch.md §3.4).
type Failure struct {
	// Kind is a short constant name for metrics and logs.
	Kind string
	// Reason is the FailureReason that clients see.
	Reason string
}

// Error implements error, so that the phases of a run can return a failure as one.
func (f *Failure) Error() string { return f.Kind }

// The failures. Texts that the spec marks as observed are verbatim; of those documented as prefixes
// the prefix is AWS's, and the guidance after it follows the service model's documentation.
var (
	failFormat       = Failure{"unsupported_format", "Unsupported media format."}
	failNoFFmpeg     = Failure{"no_ffmpeg", "Unsupported media format. This server reads it only with ffmpeg, which isn't installed. Install ffmpeg on the server and try your request again."}
	failFormatDiffer = Failure{"format_mismatch", "The media format provided does not match the detected media format. Check the media format and try your request again."}
	failRate         = Failure{"invalid_sample_rate", "Invalid sample rate for audio file."}
	failRateDiffer   = Failure{"sample_rate_mismatch", "The sample rate provided does not match the detected sample rate. Check the sample rate and try your request again."}
	failSize         = Failure{"too_large", "Invalid file size: file size too large. Maximum file size is 2 GB. Check the size of the file and try your request again."}
	failLong         = Failure{"too_long", "Invalid file size: file size too large. Maximum audio duration is 4.000000 hours.Check the length of the file and try your request again."}
	failShort        = Failure{"too_short", "The input media file length is too small. Minimum audio duration is 0.500000 seconds. Check the length of the file and try your request again."}
	failChannels     = Failure{"too_many_channels", "Invalid number of channels: number of channels too large."}
	failInvalid      = Failure{"invalid_media", "The data in your input media file isn't valid. Check the media file and try your request again."}
	failLanguage     = Failure{"too_little_speech", "Your audio file must have a speech segment long enough in duration to perform automatic language identification. Provide an audio file with someone speaking for a longer period of time and try your request again."}
	failMedia        = Failure{"media_access", msgMediaAccess}
	failOutput       = Failure{"output_access", msgOutputAccess}
	failKey          = Failure{"key_access", msgKeyAccess}
	failRole         = Failure{"role_access", msgRoleAccess}
	failInternal     = Failure{"internal", "Internal Failure. The service couldn't complete the job. Try your request again."}
)

// as returns the failure as an error.
func (f Failure) as() error { return &f }
